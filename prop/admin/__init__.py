"""The BackOffice's screens over challenges: what is sold, how it runs, what is paid."""

from prop.admin import (
    breaches,
    challenges,
    dashboard,
    jobs,
    payers,
    payouts,
    purchases,
    simulator,
)

__all__ = [
    "breaches",
    "challenges",
    "dashboard",
    "jobs",
    "payers",
    "payouts",
    "purchases",
    "simulator",
]
