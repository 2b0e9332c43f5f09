"""Reading identities: the directory of accounts, users, sessions, roles."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from tenants.models import AccountDirectoryEntry, ApiKey, Firm, StaffMembership, User


def list_accounts(*, user: User) -> list[AccountDirectoryEntry]:
    """Every wallet of the user in all buildings, with its firm, oldest first: the switcher.

    One query; whether a wallet is archived or deleted stands in its building.
    """
    rows = AccountDirectoryEntry.objects.filter(user=user).select_related("firm")
    return list(rows.order_by("wallet_id"))


def find_own_account(*, user: User, wallet_id: int) -> AccountDirectoryEntry | None:
    """The directory entry of a wallet if it is the user's; None for a stranger's or unknown."""
    return (
        AccountDirectoryEntry.objects.select_related("firm")
        .filter(wallet_id=wallet_id, user=user)
        .first()
    )


def find_user_by_email(email: str) -> User | None:
    """The user with this address in any case."""
    return User.objects.filter(email=email.strip().lower()).first()


def count_active_keys(*, user: User) -> int:
    """Active keys, expired ones included (accounts-api 5.1)."""
    return ApiKey.objects.filter(user=user, is_active=True).count()


def find_membership(*, user: User, firm: Firm) -> StaffMembership | None:
    """The user's active role at the firm."""
    return StaffMembership.objects.filter(user=user, firm=firm, is_active=True).first()


def get_session_user(cookies: Mapping[str, str]) -> User | None:
    """The signed-in, active user behind a request's cookies; None without one.

    For plain ASGI sockets, which pass no middleware. Two queries; call it in a thread of its own
    with the `public` schema.
    """
    session_key = cookies.get(settings.SESSION_COOKIE_NAME)
    if not session_key:
        return None
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user: Any = get_user(request)
    return user if user.is_authenticated and user.is_active else None


def list_schemas() -> list[str]:
    """The schemas of all active buildings, retail first, for sweeps over everybody."""
    rows = Firm.objects.filter(is_active=True).order_by("id")
    return list(rows.values_list("schema_name", flat=True))
