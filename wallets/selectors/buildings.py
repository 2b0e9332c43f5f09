"""A person's wallets over all buildings, found through the directory (architecture, Schemas)."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import enter_building
from tenants.lookups import find_account_schema
from tenants.models import Firm, User, WalletKind
from tenants.selectors import find_own_account, list_accounts
from wallets.models import Wallet
from wallets.selectors.wallets import (
    KIND_ORDER,
    ReadScope,
    get_own_wallet,
    list_wallets,
    resolve_read_scope,
)

OwnWallet = tuple[Wallet, Firm | None]


class FirmAccountByKey(PolysimError):
    """An API key names a firm account: those are its firm's and the terminal's."""

    code = "WALLET_READ_ONLY"
    status = 403
    message = "API keys do not reach accounts of firms."


def building_of(*, user_id: int, wallet_id: int | None) -> str:
    """The schema in which a user's own wallet stands; retail for any other, and for none."""
    if wallet_id is None:
        return str(settings.RETAIL_SCHEMA)
    found = find_account_schema(user_id=user_id, wallet_id=wallet_id)
    return found or str(settings.RETAIL_SCHEMA)


@contextmanager
def enter_read_scope(*, user_id: int, value: str | int | None, is_key: bool) -> Iterator[ReadScope]:
    """`resolve_read_scope` inside the building that `value` leads to, until the block ends.

    Raises FirmAccountByKey besides that function's refusals.
    """
    text = "" if value is None else str(value).strip()
    is_id = text.isascii() and text.isdigit() and len(text) <= 18
    schema = building_of(user_id=user_id, wallet_id=int(text) if is_id else None)
    if is_key and schema != settings.RETAIL_SCHEMA:
        raise FirmAccountByKey()
    with enter_building(schema):
        yield resolve_read_scope(user_id=user_id, value=value)


def list_own_wallets(*, user: User, limit: int | None = None, offset: int = 0) -> list[OwnWallet]:
    """Every wallet of the user, firm accounts last and with their firm (accounts-api 6.3).

    A query for the directory and one for each building in which the user has a wallet.
    """
    entries = [entry for entry in list_accounts(user=user) if entry.firm.is_active]
    firms = {entry.wallet_id: entry.firm for entry in entries if entry.kind == WalletKind.PROP_FIRM}
    rows: list[OwnWallet] = []
    for schema in dict.fromkeys(entry.firm.schema_name for entry in entries):
        with enter_building(schema):
            rows += [(wallet, firms.get(wallet.pk)) for wallet in list_wallets(user_id=user.pk)]
    rows.sort(key=lambda row: (KIND_ORDER.index(WalletKind(row[0].kind)), row[0].pk))
    return rows[offset : None if limit is None else offset + limit]


def find_own_wallet(*, user: User, wallet_id: int) -> OwnWallet:
    """One wallet of the user in whichever building; raises WalletNotFound."""
    with enter_building(building_of(user_id=user.pk, wallet_id=wallet_id)):
        wallet = get_own_wallet(user_id=user.pk, wallet_id=wallet_id)
    if wallet.kind != WalletKind.PROP_FIRM:
        return wallet, None
    entry = find_own_account(user=user, wallet_id=wallet_id)
    return wallet, entry.firm if entry is not None else None
