"""Which wallets a person has, and which of them a read means (accounts-api 2.5, 6.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, IntegerField, Value, When

from polysim.kernel.errors import ValidationFailed
from tenants.models import WalletKind
from wallets.models import Wallet
from wallets.services.opening import WalletNotFound

KIND_ORDER = (
    WalletKind.MAIN,
    WalletKind.SANDBOX,
    WalletKind.API,
    WalletKind.COMPETITION,
    WalletKind.PROP_FIRM,
)


@dataclass(frozen=True, slots=True)
class ReadScope:
    """The wallets a `wallet_id` parameter means; `cash_wallet_id` is whose cash is shown."""

    wallet_ids: tuple[int, ...]
    cash_wallet_id: int | None


def list_wallets(
    *, user_id: int, limit: int | None = None, offset: int = 0, only_active: bool = False
) -> list[Wallet]:
    """The user's wallets in this building: MAIN, SANDBOX, API, COMPETITION, then firm accounts,
    oldest first inside a kind; never DELETED ones.
    """
    position = Case(
        *[When(kind=kind, then=Value(index)) for index, kind in enumerate(KIND_ORDER)],
        output_field=IntegerField(),
    )
    rows = Wallet.objects.filter(user_id=user_id).exclude(status=Wallet.Status.DELETED)
    rows = rows.select_related("firm_account")
    if only_active:
        rows = rows.filter(status=Wallet.Status.ACTIVE)
    ordered = rows.order_by(position, "pk")
    return list(ordered[offset : offset + limit] if limit is not None else ordered[offset:])


def get_own_wallet(*, user_id: int, wallet_id: int) -> Wallet:
    """The user's wallet in this building; raises WalletNotFound, also for DELETED ones."""
    wallet = (
        Wallet.objects.select_related("firm_account")
        .filter(pk=wallet_id, user_id=user_id)
        .exclude(status=Wallet.Status.DELETED)
        .first()
    )
    if wallet is None:
        raise WalletNotFound(wallet_id)
    return wallet


def get_main_wallet(*, user_id: int) -> Wallet | None:
    """The user's MAIN wallet, None outside the retail building."""
    return Wallet.objects.filter(user_id=user_id, kind=WalletKind.MAIN).first()


def get_api_wallet(*, user_id: int) -> Wallet | None:
    """The user's ACTIVE API wallet, None before the first key."""
    return Wallet.objects.filter(
        user_id=user_id, kind=WalletKind.API, status=Wallet.Status.ACTIVE
    ).first()


def list_wallet_ids(*, user_id: int, with_firm_accounts: bool = False) -> list[int]:
    """Ids of all wallets but DELETED ones; firm accounts stay out unless asked for."""
    rows = Wallet.objects.filter(user_id=user_id).exclude(status=Wallet.Status.DELETED)
    if not with_firm_accounts:
        rows = rows.exclude(kind=WalletKind.PROP_FIRM)
    return list(rows.order_by("pk").values_list("pk", flat=True))


def resolve_read_scope(*, user_id: int, value: str | int | None) -> ReadScope:
    """What `wallet_id` on a read means: omitted or `api`, `all`, or an own wallet's id.

    Raises WalletNotFound for a stranger's or DELETED wallet, ValidationFailed for other values.
    """
    text = "api" if value is None else str(value).strip().lower()
    if text in ("api", "all"):
        wallet = get_api_wallet(user_id=user_id)
        own_id = wallet.pk if wallet is not None else None
        if text == "all":
            return ReadScope(tuple(list_wallet_ids(user_id=user_id)), own_id)
        return ReadScope(() if own_id is None else (own_id,), own_id)
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) == 0:
        raise ValidationFailed([("wallet_id", "must be a wallet id, 'api' or 'all'")])
    wallet = get_own_wallet(user_id=user_id, wallet_id=int(text))
    return ReadScope((wallet.pk,), wallet.pk)


def wallets_by_id(*, wallet_ids: Sequence[int]) -> dict[int, Wallet]:
    """Wallets of this building by id."""
    return Wallet.objects.in_bulk(list(wallet_ids))
