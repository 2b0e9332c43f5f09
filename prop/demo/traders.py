"""Made-up traders of the demo's history: what each one does at an hour. They know the past prices.

Sizes are dollars. A trader asks for orders; the real engine fills them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from prop.demo.past import PastMarket

CHEAPEST, DEAREST = Decimal("0.20"), Decimal("0.80")
LEAST = Decimal(5)
# How far a bought outcome may fall in between: of its price, and of the account.
# What it must bring at least: of the account.
CALM = Decimal("-0.25")
SAFE = Decimal("-0.03")
WORTH = Decimal("0.03")


@dataclass(frozen=True, slots=True)
class Choice:
    """An outcome and what a dollar of it will make, at the end and at its worst."""

    past: PastMarket
    outcome: int
    gain: Decimal
    worst: Decimal


@dataclass(frozen=True, slots=True)
class Wish:
    """One market order: buy for `amount` dollars, or (None) sell what is held."""

    past: PastMarket
    outcome: int
    amount: Decimal | None


@dataclass
class DemoTrader:
    """Base: every nine hours some outcome that will not fall far, sold a day later.

    `person` is the name under which the firm registered them.
    """

    name: str
    person: str
    program: str
    first_hour: int
    share: Decimal = Decimal("0.04")
    every_hours: int = 9
    kept_hours: int = 30
    held: dict[tuple[int, int], int] = field(default_factory=dict)

    def wishes(self, markets: Sequence[PastMarket], hour: int, cash: Decimal) -> list[Wish]:
        """What is sold and bought at this hour."""
        over = [place for place, since in self.held.items() if hour - since >= self.kept_hours]
        sold = [self._sell(markets, place) for place in over]
        if (hour - self.first_hour) % self.every_hours != 0:
            return sold
        found = self._choose(self._choices(markets, hour), hour)
        amount = cash * self.share
        if found is None or amount < LEAST:
            return sold
        self.held[found.past.market.pk, found.outcome] = hour
        return [*sold, Wish(found.past, found.outcome, amount)]

    def _sell(self, markets: Sequence[PastMarket], place: tuple[int, int]) -> Wish:
        del self.held[place]
        past = next(one for one in markets if one.market.pk == place[0])
        return Wish(past, place[1], None)

    def _choices(self, markets: Sequence[PastMarket], hour: int) -> list[Choice]:
        """Outcomes between 20 and 80 cents that are not held, with what will become of them."""
        last = min(hour + self.kept_hours, len(markets[0].closes) - 1)
        free = [
            (past, side)
            for past in markets
            for side in (0, 1)
            if (past.market.pk, side) not in self.held
            and CHEAPEST <= past.price(hour, side) <= DEAREST
        ]
        return [
            Choice(past, side, past.gain(hour, last, side), past.worst(hour, last, side))
            for past, side in free
        ]

    def _choose(self, choices: Sequence[Choice], hour: int) -> Choice | None:
        calm = [one for one in choices if one.worst >= CALM]
        return calm[hour * 7 % len(calm)] if calm else None


@dataclass
class Lucky(DemoTrader):
    """Waits for one outcome at a time that will gain much without ever falling far in between."""

    share: Decimal = Decimal("0.40")
    every_hours: int = 1
    kept_hours: int = 12

    def _choose(self, choices: Sequence[Choice], hour: int) -> Choice | None:
        if self.held:
            return None
        able = [
            one
            for one in choices
            if one.worst * self.share >= SAFE and one.gain * self.share >= WORTH
        ]
        return max(able, key=lambda one: one.gain, default=None)


@dataclass
class Unlucky(DemoTrader):
    """Puts nearly everything on what falls most."""

    share: Decimal = Decimal("0.85")

    def _choose(self, choices: Sequence[Choice], hour: int) -> Choice | None:
        return min(choices, key=lambda one: one.worst, default=None)


def cast() -> list[DemoTrader]:
    """Who trades in the demo's past; the demo's own trader runs three of the challenges."""
    return [
        DemoTrader("steady", "trader", "Starter 10K", first_hour=2),
        Lucky("lucky", "trader", "Starter 10K", first_hour=0),
        Unlucky("unlucky", "trader", "Starter 10K", first_hour=20),
        DemoTrader("doubled", "dan", "Two-Step 50K", first_hour=10),
        Lucky("patient", "eva", "Two-Step 50K", first_hour=4, share=Decimal("0.20")),
    ]
