"""Kinds of simulated traders: what each buys, how much of it, and when it gets out.

A behaviour only looks and decides; the engine fills and the rules judge. Chance comes from the
trader's own source. Sizes are percents of the equity, times are hours (steps).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from .accounts import LEAST_DOLLARS, Account
from .paths import STEPS_PER_DAY, World

# An exit that never comes: held until the market ends.
UNTIL_THE_END = 10**9
# So many markets a trader follows.
FOLLOWED = 12
# Nobody buys what is as good as decided.
DECIDED_BELOW, DECIDED_ABOVE = 30_000, 970_000
# Room for the fee, in percent of what is spent: no rate is higher.
FEE_ROOM = 93
TRIES = 4


@dataclass(slots=True)
class Trader:
    """One trader's own things: chance, markets, account and plans by token."""

    index: int
    behaviour: "Behaviour"
    chance: Random
    places: list[int]
    account: Account
    exits: dict[int, int]
    next_entry: int = 0
    next_look: int = 0
    stopped_until: int = 0


@dataclass(slots=True)
class View:
    """What a trader sees at a step; set anew for each look. Money is scaled by 10**6."""

    world: World
    trader: Trader
    step: int = 0
    equity: int = 0
    day_start_equity: int = 0
    hours_left: int = 0
    daily_limit: int = 0
    target_equity: int = 0

    @property
    def chance(self) -> Random:
        """The trader's source of chance."""
        return self.trader.chance

    def change(self, place: int, hours: int) -> int:
        """How the first outcome's price moved within the market playing now."""
        world, step = self.world, self.step
        since = max(step - hours, int(world.begins[place, step]))
        return world.mark(2 * place, step) - world.mark(2 * place, since)

    def ahead(self, place: int, hours: int) -> int:
        """How the first outcome's price will have moved; only the skilled may ask."""
        world, step = self.world, self.step
        until = min(step + hours, int(world.ends[place, step]) - 1, world.steps - 1)
        return world.mark(2 * place, until) - world.mark(2 * place, step)

    def is_open(self, token: int) -> bool:
        """Whether a token may be bought: not held on either side, and not decided."""
        holdings = self.trader.account.holdings
        if token in holdings or token ^ 1 in holdings:
            return False
        return DECIDED_BELOW <= self.world.mark(token, self.step) <= DECIDED_ABOVE


@dataclass(frozen=True, slots=True)
class Buy:
    """Spend up to `amount` on a token, to be sold at step `exit_at`."""

    token: int
    amount: int
    exit_at: int


@dataclass(frozen=True, slots=True)
class Sell:
    """Sell all shares of a token."""

    token: int


Order = Buy | Sell


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The common way: sell what is due, then perhaps open one position.

    `size` is a range in percent of the equity, `holds` a range of hours (None: to the end).
    `coasts`: once the target is reached, close everything and only fill missing days.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    words: ClassVar[str] = ""
    hours_between: int = 12
    size: tuple[int, int] = (1, 3)
    holds: tuple[int, int] | None = (12, 48)
    coasts: bool = True
    always_looks: ClassVar[bool] = False

    def act(self, view: View) -> list[Order]:
        """The orders of this look."""
        trader, step = view.trader, view.step
        if self.coasts and view.equity >= view.target_equity:
            return self._coast(view)
        orders: list[Order] = [Sell(token) for token, at in trader.exits.items() if at <= step]
        if step >= trader.next_entry:
            trader.next_entry = step + self._gap(view)
            if bought := self.open(view):
                orders.append(bought)
        return orders

    def open(self, view: View) -> Buy | None:
        """The position to open now, if any."""
        token = self.choose(view)
        if token is None:
            return None
        free = view.trader.account.cash * FEE_ROOM // 100
        amount = min(view.equity * self.percent(view) // 100, free)
        if amount < LEAST_DOLLARS:
            return None
        return Buy(token, amount, self._exit(view))

    def choose(self, view: View) -> int | None:
        """A token to buy; here any side of a market that is followed."""
        for _ in range(TRIES):
            token = 2 * view.chance.choice(view.trader.places) + view.chance.getrandbits(1)
            if view.is_open(token):
                return token
        return None

    def percent(self, view: View) -> int:
        """The size of the next position in percent of the equity."""
        low, high = self.size
        return view.chance.randint(low, high)

    def _exit(self, view: View) -> int:
        if self.holds is None:
            return UNTIL_THE_END
        return view.step + view.chance.randint(*self.holds)

    def _gap(self, view: View) -> int:
        half = max(1, self.hours_between // 2)
        return view.chance.randint(half, self.hours_between + half)

    def plan_look(self, trader: Trader) -> None:
        """When the trader looks again: the next entry or exit."""
        trader.next_look = min(trader.next_entry, *trader.exits.values(), UNTIL_THE_END)

    def _coast(self, view: View) -> list[Order]:
        """Keep what was won: out of everything; one smallest order a day while days are missing."""
        trader = view.trader
        orders: list[Order] = [Sell(token) for token in trader.exits]
        trader.next_entry = view.step + STEPS_PER_DAY
        token = self.choose(view)
        if token is not None and trader.account.cash > 2 * LEAST_DOLLARS:
            orders.append(Buy(token, LEAST_DOLLARS, view.step + STEPS_PER_DAY))
        return orders


@dataclass(frozen=True, slots=True)
class Steady(Behaviour):
    name = "steady"
    title = "Steady"
    words = "Two small positions a day, spread over many markets, held a day or two."
    hours_between: int = 12
    size: tuple[int, int] = (1, 2)


@dataclass(frozen=True, slots=True)
class Follower(Behaviour):
    """Looks at the strongest move of the last hours; `sign` says on which side of it."""

    looks_back: int = 6
    sign: ClassVar[int] = 1
    least_move: int = 30_000

    def choose(self, view: View) -> int | None:
        """The side of the biggest move among the followed markets, or its other side."""
        best, moved = None, self.least_move - 1
        for place in view.trader.places:
            change = view.change(place, self.looks_back)
            if abs(change) <= moved:
                continue
            token = 2 * place + (change * self.sign < 0)
            if view.is_open(token):
                best, moved = token, abs(change)
        return best


@dataclass(frozen=True, slots=True)
class Momentum(Follower):
    name = "momentum"
    title = "Momentum"
    words = "Buys the side that rose most within six hours, 3 to 6 % each, held up to a day."
    hours_between: int = 8
    size: tuple[int, int] = (3, 6)
    holds: tuple[int, int] | None = (8, 24)


@dataclass(frozen=True, slots=True)
class Contrarian(Follower):
    name = "contrarian"
    title = "Contrarian"
    words = "Buys the side that fell most within 12 hours, 3 to 6 % each, held up to 36 hours."
    hours_between: int = 10
    size: tuple[int, int] = (3, 6)
    holds: tuple[int, int] | None = (12, 36)
    looks_back: int = 12
    sign = -1


@dataclass(frozen=True, slots=True)
class Gambler(Behaviour):
    name = "gambler"
    title = "All-in"
    words = "Puts 40 to 90 % of the account on one market and holds it to the result."
    hours_between: int = 24
    size: tuple[int, int] = (40, 90)
    holds: tuple[int, int] | None = None
    coasts: bool = False


@dataclass(frozen=True, slots=True)
class Overtrader(Behaviour):
    name = "overtrader"
    title = "Overtrader"
    words = "Ten positions a day of 5 to 10 %, in and out within hours; pays spread and fees."
    hours_between: int = 2
    size: tuple[int, int] = (5, 10)
    holds: tuple[int, int] | None = (1, 6)
    coasts: bool = False


@dataclass(frozen=True, slots=True)
class Disciplined(Behaviour):
    """Watches the day's loss at every step and stops in time."""

    name = "disciplined"
    title = "Disciplined"
    words = (
        "Four positions a day of 2 to 4 %; at half of the daily limit closes all until tomorrow."
    )
    hours_between: int = 6
    size: tuple[int, int] = (2, 4)
    holds: tuple[int, int] | None = (6, 30)
    stop_part_pct: int = 50
    always_looks = True

    def act(self, view: View) -> list[Order]:
        """Stop for the day, wait for the next, or trade as planned."""
        trader, step = view.trader, view.step
        if step < trader.stopped_until:
            return [Sell(token) for token, at in trader.exits.items() if at <= step]
        loss = view.day_start_equity - view.equity
        if view.daily_limit and loss * 100 >= view.daily_limit * self.stop_part_pct:
            trader.stopped_until = step + view.hours_left
            return [Sell(token) for token in trader.exits]
        if step < trader.next_look:
            return []
        return Behaviour.act(self, view)


@dataclass(frozen=True, slots=True)
class Casual(Behaviour):
    name = "casual"
    title = "Casual"
    words = "Comes back every few days for one position of 5 to 15 %."
    hours_between: int = 84
    size: tuple[int, int] = (5, 15)
    holds: tuple[int, int] | None = (24, 96)


@dataclass(frozen=True, slots=True)
class Skilled(Behaviour):
    """Knows more than the price: looks ahead, and is right about the side more often than not."""

    name = "skilled"
    title = "Skilled"
    words = "Knows which way a price goes in 3 of 4 cases; 2 to 4 % each, held up to a day."
    hours_between: int = 8
    size: tuple[int, int] = (2, 4)
    holds: tuple[int, int] | None = (12, 24)
    right_pct: int = 75

    def choose(self, view: View) -> int | None:
        """The right side of a followed market, or by mistake the wrong one."""
        for _ in range(TRIES):
            place = view.chance.choice(view.trader.places)
            is_right = view.chance.randrange(100) < self.right_pct
            rises = view.ahead(place, STEPS_PER_DAY) >= 0
            token = 2 * place + (rises != is_right)
            if view.is_open(token):
                return token
        return None


BEHAVIOURS: Mapping[str, Behaviour] = {
    behaviour.name: behaviour
    for behaviour in (
        Steady(),
        Disciplined(),
        Momentum(),
        Contrarian(),
        Gambler(),
        Overtrader(),
        Casual(),
        Skilled(),
    )
}
# Weights of an ordinary crowd; nobody knows a firm's own traders beforehand.
DEFAULT_MIX: Mapping[str, int] = {
    "steady": 20,
    "disciplined": 15,
    "momentum": 15,
    "contrarian": 10,
    "gambler": 15,
    "overtrader": 10,
    "casual": 10,
    "skilled": 5,
}
