from .commuting import CommutingReport as CommutingReport
from .derivation import Derivation as Derivation
from .derivation import derive as derive
from .design import design as design
from .dynamics import SteepestDescent as SteepestDescent
from .identities import Identity as Identity
from .matrix_parameterization import MatrixParameterization as MatrixParameterization
from .parameterization import Parameterization as Parameterization

__all__ = [
    "CommutingReport",
    "Derivation",
    "Identity",
    "MatrixParameterization",
    "Parameterization",
    "SteepestDescent",
    "derive",
    "design",
]
