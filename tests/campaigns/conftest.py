"""References are proved with python-flint; where it is missing, the ones that are kept still judge."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("flint") else ["system_reference.py"]
