"""Which role of a firm's staff may do what (contracts/README 5).

A right is named by its screen and what is done there. The table gives the roles that have it at
first; an Owner may take rights from a role, never from Owners. Firms keep what was taken in
`Firm.taken_rights`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tenants.models import StaffRole

OWNER, RISK, DEALER = StaffRole.ADMIN, StaffRole.MANAGER, StaffRole.DEALER
FINANCE, SUPPORT, VIEWER = StaffRole.CRM_ADMIN, StaffRole.CRM_MANAGER, StaffRole.VIEWER

EVERYBODY = (OWNER, RISK, DEALER, FINANCE, SUPPORT, VIEWER)
COMMANDERS = (OWNER, RISK, DEALER, FINANCE, SUPPORT)
DECIDERS = (OWNER, RISK, FINANCE)


@dataclass(frozen=True, slots=True)
class Right:
    """What a right is called on the page of rights, and who has it at first."""

    words: str
    roles: tuple[str, ...]


RIGHTS: Mapping[str, Right] = {
    "traders.view": Right("See traders", EVERYBODY),
    "traders.resend": Right("Send login links", (OWNER, RISK, SUPPORT)),
    "traders.support": Right("Open the support view", (OWNER, RISK, DEALER, SUPPORT)),
    "accounts.view": Right("See accounts, orders and positions", EVERYBODY),
    "accounts.switch": Right("Switch trading of an account", (OWNER, RISK, DEALER)),
    "accounts.close": Right("Close accounts", (OWNER, RISK, DEALER)),
    "accounts.reset": Right("Reset accounts", (OWNER, RISK, DEALER)),
    "programs.view": Right("See programs and account groups", EVERYBODY),
    "programs.edit": Right("Edit programs and account groups", COMMANDERS),
    "programs.simulate": Right("Try programs on simulated traders", (OWNER, RISK)),
    "purchases.view": Right("See purchases", EVERYBODY),
    "purchases.edit": Right("Edit and delete purchases", COMMANDERS),
    "purchases.refund": Right("Refund and retry purchases", DECIDERS),
    "challenges.view": Right("See challenges and breaches", EVERYBODY),
    "challenges.decide": Right("Grant, cancel, reset and close challenges", DECIDERS),
    "balances.add": Right("Book money on payer accounts", DECIDERS),
    "payouts.view": Right("See payouts", EVERYBODY),
    "payouts.decide": Right("Approve and reject payouts", DECIDERS),
    "jobs.view": Right("See jobs", EVERYBODY),
    "jobs.retry": Right("Retry failed jobs", DECIDERS),
    "keys.view": Right("See API keys and redirect origins", (OWNER,)),
    "keys.manage": Right("Manage API keys and redirect origins", (OWNER,)),
    "webhooks.view": Right("See webhooks and deliveries", (OWNER,)),
    "webhooks.manage": Right("Manage and replay webhooks", (OWNER,)),
    "staff.view": Right("See staff", (OWNER,)),
    "staff.manage": Right("Invite and change staff", (OWNER,)),
    "settings.view": Right("See settings", (OWNER,)),
    "settings.manage": Right("Change settings", (OWNER,)),
    "audit.view": Right("Read the audit log", (OWNER, RISK, VIEWER)),
}
# What an Owner can take from another role.
NARROWABLE = tuple(name for name, right in RIGHTS.items() if right.roles != (OWNER,))


def has_right(*, role: str, right: str, taken: Mapping[str, list[str]]) -> bool:
    """Whether a role has a right at a firm that took `taken` (role -> rights) away."""
    if role not in RIGHTS[right].roles:
        return False
    return role == OWNER or right not in taken.get(role, ())
