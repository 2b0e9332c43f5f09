"""Made-up traders of the demo's history: what each one does at an hour. They know the past prices.

Sizes are dollars. A trader asks for orders; the real engine fills them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from prop.demo.past import PastMarket

HOURS_OF_DAY = 24
KEPT_HOURS = 30


@dataclass(frozen=True, slots=True)
class Wish:
    """One market order: buy for `amount` dollars, or (None) sell what is held."""

    past: PastMarket
    outcome: int
    amount: Decimal | None


@dataclass
class DemoTrader:
    """Base: buys a chance now and then and sells it a day later."""

    name: str
    program: str
    first_hour: int
    share: Decimal = Decimal("0.06")
    held: dict[tuple[int, int], int] = field(default_factory=dict)

    def wishes(self, markets: Sequence[PastMarket], hour: int, cash: Decimal) -> list[Wish]:
        """What is bought and sold at this hour."""
        sold = [self._sell(markets, place) for place, since in [*self.held.items()]
                if hour - since >= KEPT_HOURS]  # fmt: skip
        bought = self._buy(markets, hour, cash)
        return [*sold, *bought]

    def _sell(self, markets: Sequence[PastMarket], place: tuple[int, int]) -> Wish:
        del self.held[place]
        past = next(one for one in markets if one.market.pk == place[0])
        return Wish(past, place[1], None)

    def _buy(self, markets: Sequence[PastMarket], hour: int, cash: Decimal) -> list[Wish]:
        if (hour - self.first_hour) % 9 != 0:
            return []
        past = markets[(hour // 9 * 5 + len(self.name)) % len(markets)]
        return self._take(past, hour % 2, hour, cash * self.share)

    def _take(self, past: PastMarket, outcome: int, hour: int, amount: Decimal) -> list[Wish]:
        place = (past.market.pk, outcome)
        if place in self.held or amount < 5:
            return []
        self.held[place] = hour
        return [Wish(past, outcome, amount)]


@dataclass
class Foresighted(DemoTrader):
    """Knows what will rise (`is_lucky`) or fall, and puts `share` of the cash on it each day."""

    is_lucky: bool = True

    def _buy(self, markets: Sequence[PastMarket], hour: int, cash: Decimal) -> list[Wish]:
        if (hour - self.first_hour) % (HOURS_OF_DAY // 2) != 0:
            return []
        last = min(hour + KEPT_HOURS, len(markets[0].closes) - 1)
        choices = [(past, side) for past in markets for side in (0, 1)]
        free = [one for one in choices if (one[0].market.pk, one[1]) not in self.held]
        ranked = sorted(free, key=lambda one: one[0].gain(hour, last, one[1]))
        if not ranked:
            return []
        past, side = ranked[-1] if self.is_lucky else ranked[0]
        return self._take(past, side, hour, cash * self.share)


def cast() -> list[DemoTrader]:
    """Who trades in the demo's past: steady, lucky, unlucky, and one whom staff cancel."""
    return [
        DemoTrader("ana", "Starter 10K", first_hour=2),
        Foresighted("ben", "Starter 10K", first_hour=0, share=Decimal("0.30")),
        Foresighted("cleo", "Starter 10K", first_hour=20, share=Decimal("0.85"), is_lucky=False),
        DemoTrader("dan", "Two-Step 50K", first_hour=10, share=Decimal("0.04")),
        Foresighted("eva", "Two-Step 50K", first_hour=4, share=Decimal("0.25")),
    ]
