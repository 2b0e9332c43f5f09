"""Challenges of a prop firm, in its building: what is sold, what was bought, how it goes, what is
paid. Enums carry the contract's numbers (prop-backoffice 1.1); ids are integers of the building.
"""

from prop.models.challenges import (
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    DailySnapshot,
    MetricSnapshot,
    RuleBreach,
    Verdict,
)
from prop.models.evaluations import AccountEvaluation
from prop.models.programs import (
    AccountGroup,
    AccountMode,
    OnFail,
    PayoutMode,
    PhaseType,
    Program,
    ProgramStatus,
    PropSettings,
    Step,
    TradingDaysMode,
)
from prop.models.purchases import (
    ActivationStatus,
    PaymentStatus,
    PropAccount,
    Purchase,
    PurchaseStatus,
)
from prop.models.simulations import Simulation
from prop.models.work import Job, JobKind, JobStatus, Payout, PayoutStatus, PropEvent

__all__ = [
    "AccountEvaluation",
    "AccountGroup",
    "AccountMode",
    "ActivationStatus",
    "Challenge",
    "ChallengePhase",
    "ChallengeStatus",
    "DailySnapshot",
    "Job",
    "JobKind",
    "JobStatus",
    "MetricSnapshot",
    "OnFail",
    "PaymentStatus",
    "Payout",
    "PayoutMode",
    "PayoutStatus",
    "PhaseType",
    "Program",
    "ProgramStatus",
    "PropAccount",
    "PropEvent",
    "PropSettings",
    "Purchase",
    "PurchaseStatus",
    "RuleBreach",
    "Simulation",
    "Step",
    "TradingDaysMode",
    "Verdict",
]
