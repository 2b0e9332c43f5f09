"""Writing postings to the ledger; only here and in the functions of `trading/sql`."""

from datetime import datetime
from decimal import Decimal

from django.db import connection

from wallets.ledger import Posting
from wallets.models import Wallet


def post(*, wallet: Wallet, posting: Posting, now: datetime) -> Wallet:
    """Write one movement and bring `wallet.balance` and `.reserved` up to date.

    The caller holds the user's lock. A balance below zero or a reference that exists already
    raises IntegrityError.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT balance, reserved FROM post_ledger(%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                wallet.pk,
                posting.type,
                posting.reference,
                posting.memo,
                now,
                posting.cash,
                posting.reserved,
                posting.house,
            ],
        )
        row: tuple[Decimal, Decimal] = cursor.fetchone()
    wallet.balance, wallet.reserved = row
    return wallet
