"""Equity points of a whole building: cash from wallets, positions at marks (accounts-api 7.6)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from polysim.kernel.money import from_scaled, six_places, to_scaled
from trading.engine.valuation import market_value
from trading.markets.books import read_marks
from trading.models import Position
from wallets.services.equity import record_equity_points


def record_building_equity(*, now: datetime, wallet_ids: Sequence[int] | None = None) -> int:
    """Write the hour's point of every active wallet, or of these alone; answers how many.

    A position without a live mark counts at its cost. Raises ServiceUnavailable without Valkey.
    """
    rows = list(
        Position.objects.filter(status=Position.Status.OPEN).values_list(
            "wallet_id", "market__condition_id", "outcome__index", "quantity", "cost"
        )
    )
    marks = read_marks((condition_id, index) for _, condition_id, index, _, _ in rows)
    values: dict[int, Decimal] = defaultdict(Decimal)
    for wallet_id, condition_id, index, quantity, cost in rows:
        mark = marks.get((condition_id, index))
        worth = cost if mark is None else from_scaled(market_value(to_scaled(quantity), mark.price))
        values[wallet_id] += six_places(worth)
    return record_equity_points(
        position_values=values.items(),
        now=now,
        only_wallet_ids=None if wallet_ids is None else list(wallet_ids),
    )
