from . import judge as judge
from .claim import Claim as Claim
from .claim import corrected as corrected
from .ledger import Ledger as Ledger
from .paper import Paper as Paper
from .verdict import Correction as Correction
from .verdict import Outcome as Outcome
from .verdict import Verdict as Verdict
