"""The BackOffice's screens over challenges: what is sold, how it runs, what is paid."""

from prop.admin import (
    breaches,
    challenges,
    dashboard,
    groups,
    jobs,
    payers,
    payouts,
    programs,
    purchases,
    settings,
    simulator,
)

__all__ = [
    "breaches",
    "challenges",
    "dashboard",
    "groups",
    "jobs",
    "payers",
    "payouts",
    "programs",
    "purchases",
    "settings",
    "simulator",
]
