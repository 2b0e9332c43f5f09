"""The rules of a prop challenge, pure: no Django, no clock, no network, no chance, no float.

`Terms` are the limits of one phase, `Measures` one reading of its account, `evaluate` judges the
one by the other. `PhaseArrays` and `PositionArrays` hold many phases at once and find the few that
`evaluate` has to look at. Contract: prop-backoffice 6 to 8.
"""

from .batch import DECIDE, WARN, PhaseArrays, PhaseColumns, Reading
from .catalogue import RULES, RULES_BY_NAME
from .measures import Measures, metric, percents, results_of_days
from .positions import PositionArrays
from .progress import progress
from .terms import Terms
from .verdict import ACTIVE, ENDED, FAILED, PASSED, Breach, Verdict, Warned, evaluate

__all__ = [
    "ACTIVE",
    "DECIDE",
    "ENDED",
    "FAILED",
    "PASSED",
    "RULES",
    "RULES_BY_NAME",
    "WARN",
    "Breach",
    "Measures",
    "PhaseArrays",
    "PhaseColumns",
    "PositionArrays",
    "Reading",
    "Terms",
    "Verdict",
    "Warned",
    "evaluate",
    "metric",
    "percents",
    "progress",
    "results_of_days",
]
