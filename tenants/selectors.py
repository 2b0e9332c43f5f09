"""Reading identities: the directory of accounts, users, sessions, roles."""

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


def list_schemas() -> list[str]:
    """The schemas of all active buildings, retail first, for sweeps over everybody."""
    rows = Firm.objects.filter(is_active=True).order_by("id")
    return list(rows.values_list("schema_name", flat=True))


def list_sandbox_schemas() -> list[str]:
    """The schemas of active sandbox firms, whose accounts may live on test clocks."""
    rows = Firm.objects.filter(is_active=True, is_sandbox=True).order_by("id")
    return list(rows.values_list("schema_name", flat=True))


def list_rule_engine_schemas() -> list[str]:
    """The schemas of active firms whose own accounts Polysim's rule engine may judge."""
    rows = Firm.objects.filter(is_active=True, has_rule_engine=True).order_by("id")
    return list(rows.values_list("schema_name", flat=True))
