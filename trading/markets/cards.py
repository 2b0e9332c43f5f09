"""Prices of markets that are not live, from the last catalogue sweep, for sockets and lists."""

from collections.abc import Sequence

from polysim.kernel.clock import to_milliseconds
from trading.markets.books.frames import MarketCard
from trading.markets.feed.selection import to_card
from trading.markets.models import Market

SCALE = 1_000_000


def load_cards(condition_ids: Sequence[str]) -> list[tuple[MarketCard, int | None, int]]:
    """(card, scaled price of outcome 0, unix ms of the sweep); unknown ones are left out."""
    found = (
        Market.objects.filter(condition_id__in=list(condition_ids))
        .select_related("stats")
        .prefetch_related("outcomes")
    )
    cards = []
    for market in found:
        outcomes = sorted(market.outcomes.all(), key=lambda outcome: outcome.index)
        if len(outcomes) != 2:
            continue
        first, second = outcomes
        card = to_card(market, (first.label, second.label), (first.token_id, second.token_id))
        stats = getattr(market, "stats", None)
        price = int(stats.price * SCALE) if stats is not None and stats.price is not None else None
        updated_at = stats.updated_at if stats is not None else market.updated_at
        cards.append((card, price, to_milliseconds(updated_at)))
    return cards
