"""Issuing the ids of wallets (contracts/README 2)."""

from datetime import datetime

from tenants.models import AccountDirectoryEntry, Firm, User, WalletKind


def register_account(
    *, user: User, firm: Firm, kind: WalletKind, now: datetime
) -> AccountDirectoryEntry:
    """A new wallet's `wallet_id` and `account_id`, unique in all buildings.

    Called in the transaction that writes the wallet itself, so that neither exists alone.
    A second MAIN or API entry of a user raises IntegrityError.
    """
    return AccountDirectoryEntry.objects.create(user=user, firm=firm, kind=kind, created_at=now)
