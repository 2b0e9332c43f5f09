"""Many running challenges for benchmarks of the evaluator: copies of a real one, set-wise."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

SHARES = 100
CASH = 9_750
POSITIONS = 5


@dataclass(frozen=True)
class World:
    """A firm with `count` active phases over the outcomes of `markets`."""

    schema: str
    count: int
    markets: list[Any]
    now: datetime


def make_firm(slug: str) -> str:
    """A prop firm's building; answers its schema."""
    from tenants.models import Domain, Firm, FirmKind

    firm = Firm(schema_name=slug, slug=slug, name=slug.title(), kind=FirmKind.PROP_FIRM)
    firm.save(verbosity=0)
    Domain.objects.create(domain=f"{slug}.localhost", tenant=firm, is_primary=True)
    return slug


def make_world(schema: str, *, count: int, markets: int, now: datetime) -> World:
    """A challenge as activation leaves it, `count` times with users, accounts and holdings."""
    from django.db import connection, transaction

    from polysim.kernel.tenancy import enter_building
    from tests.evaluator import build
    from tests.support.exchange import make_market

    with enter_building(schema):
        challenge = build.start(now=now)
        phase = build.phase_of(challenge)
        with transaction.atomic():
            made = [make_market(fee_rate="0") for _ in range(markets)]
        tokens = [market.outcomes.get(index=0).pk for market in made]
        names = {
            "challenge": challenge.pk,
            "phase": phase.pk,
            "purchase": challenge.purchase_id,
            "user": challenge.customer_id,
            "wallet": phase.account_login,
            "count": count,
            "cash": CASH,
            "shares": SHARES,
            "positions": POSITIONS,
            "tokens": tokens,
            "markets": [market.pk for market in made],
            "now": now,
        }
        with connection.cursor() as cursor:
            # The rows are sound among themselves; checking each by trigger would take minutes.
            cursor.execute("SET session_replication_role = replica")
            for statement in _COPIES:
                cursor.execute(statement, names)
            cursor.execute("UPDATE prop_challengephase SET status = 4 WHERE id = %(phase)s", names)
            cursor.execute("SET session_replication_role = DEFAULT")
            cursor.execute("ANALYZE")
    return World(schema, count, made, now)


def set_prices(world: World, price: str = "0.50", *, now: datetime, only: int | None = None) -> int:
    """Write books around a price for all markets, or the first `only`; answers how many."""
    from decimal import Decimal

    from tests.support.exchange import set_book

    chosen = world.markets if only is None else world.markets[:only]
    bid, ask = Decimal(price) - Decimal("0.005"), Decimal(price) + Decimal("0.005")
    for market in chosen:
        set_book(market, bids=[(str(bid), 10_000)], asks=[(str(ask), 10_000)], now=now)
    return len(chosen)


def _copy(table: str, source: str, **changes: str) -> str:
    """`count` copies of a row with other values; `n` numbers them from 1."""
    values = ", ".join(f"'{name}', {value}" for name, value in changes.items())
    return (
        f"INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object({values}))).*"
        f" FROM {table} t, generate_series(1, %(count)s) AS n WHERE t.{source}"
    )


_BASE = 10_000_000
_COPIES = [
    _copy(
        "public.tenants_user",
        "id = %(user)s",
        id="%(user)s + n",
        auth_user_id="gen_random_uuid()",
        email="'copy' || %(user)s || '-' || n || '@example.org'",
        handle="'copy-' || %(user)s || '-' || n",
    ),
    _copy(
        "wallets_wallet",
        "id = %(wallet)s",
        id=f"{_BASE} * %(wallet)s + n",
        account_id="gen_random_uuid()",
        user_id="%(user)s + n",
        balance="%(cash)s",
    ),
    _copy(
        "wallets_firmaccount",
        "wallet_id = %(wallet)s",
        wallet_id=f"{_BASE} * %(wallet)s + n",
        external_id="'copy-' || n",
        updated_at="%(now)s::timestamptz - interval '1 hour'",
    ),
    _copy(
        "prop_purchase",
        "id = %(purchase)s",
        id=f"{_BASE} + n",
        customer_id="%(user)s + n",
        account_login=f"{_BASE} * %(wallet)s + n",
    ),
    _copy(
        "prop_challenge",
        "id = %(challenge)s",
        id=f"{_BASE} + n",
        customer_id="%(user)s + n",
        purchase_id=f"{_BASE} + n",
        account_login=f"{_BASE} * %(wallet)s + n",
    ),
    _copy(
        "prop_challengephase",
        "id = %(phase)s",
        id=f"{_BASE} + n",
        challenge_id=f"{_BASE} + n",
        account_login=f"{_BASE} * %(wallet)s + n",
    ),
    _copy(
        "prop_dailysnapshot",
        "phase_id = %(phase)s",
        id=f"{_BASE} + n",
        challenge_id=f"{_BASE} + n",
        phase_id=f"{_BASE} + n",
    ),
    f"""
    INSERT INTO trading_position (wallet_id, market_id, outcome_id, quantity, reserved_quantity,
      cost, average_price, realized_pnl, status, opened_at)
    SELECT {_BASE} * %(wallet)s + n, (%(markets)s::bigint[])[place], (%(tokens)s::bigint[])[place],
      %(shares)s, 0, %(shares)s * 0.5, 0.5, 0, 'OPEN', %(now)s
    FROM generate_series(1, %(count)s) AS n, generate_series(0, %(positions)s - 1) AS k,
      LATERAL (SELECT 1 + (n * 7 + k * 13) %% cardinality(%(tokens)s::bigint[]) AS place) p
    """,
]
