"""The menu of the BackOffice: which screens there are, in the order of a firm's day."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A screen: its slug is its address and its section; `icon` a name in office/icon.html."""

    slug: str
    words: str
    icon: str
    right: str
    link: str = ""
    is_open: bool = False


GROUPS: tuple[tuple[str, tuple[MenuItem, ...]], ...] = (
    (
        "Sell",
        (
            MenuItem("programs", "Programs", "programs", "programs.view"),
            MenuItem("purchases", "Purchases", "purchases", "purchases.view"),
            MenuItem("groups", "Account groups", "groups", "programs.view"),
        ),
    ),
    (
        "Run",
        (
            MenuItem("challenges", "Challenges", "challenges", "challenges.view"),
            MenuItem("breaches", "Breaches", "breaches", "challenges.view"),
            MenuItem("traders", "Traders", "traders", "traders.view"),
            MenuItem("accounts", "Accounts", "accounts", "accounts.view"),
        ),
    ),
    (
        "Pay",
        (
            MenuItem("payouts", "Payouts", "payouts", "payouts.view"),
            MenuItem("payers", "Payer accounts", "payers", "payouts.view"),
        ),
    ),
    (
        "System",
        (
            MenuItem("jobs", "Jobs", "jobs", "jobs.view"),
            MenuItem("keys", "API keys", "keys", "keys.view"),
            MenuItem("redirects", "Redirects", "redirects", "keys.view"),
            MenuItem("webhooks", "Webhooks", "webhooks", "webhooks.view"),
            MenuItem("staff", "Staff", "staff", "staff.view"),
            MenuItem("audit", "Audit log", "audit", "audit.view"),
            MenuItem("settings", "Settings", "settings", "settings.view"),
        ),
    ),
)


def build_menu(section: str, is_allowed: Callable[[str], bool]) -> list[tuple[str, list[MenuItem]]]:
    """The groups with the screens that exist and that the caller may see."""
    groups = []
    for title, items in GROUPS:
        shown = [
            replace(item, link=link, is_open=item.slug == section)
            for item in items
            if is_allowed(item.right) and (link := _link(item.slug))
        ]
        if shown:
            groups.append((title, shown))
    return groups


def _link(slug: str) -> str:
    try:
        return reverse(f"backoffice:{slug}")
    except NoReverseMatch:
        return ""
