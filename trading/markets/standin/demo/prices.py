"""Fair prices of synthetic markets: functions of the seed and the moment, nothing else."""

from __future__ import annotations

import math
from typing import Final

from trading.markets.standin.demo.identity import seed_of
from trading.markets.standin.demo.noise import Jumps, Path, log_odds, logistic, mix, normal_share

#: Log odds beyond this are a price within half a percent of 0 or 1.
ODDS_MAX: Final = 5.4
#: By pace (1 quiet to 3 busy): spread of the log odds after a second, where it is pulled back,
#: seconds between jumps, and their size.
PACES: Final = {
    1: (5.0e-4, 0.25, 21_600, 0.5),
    2: (1.5e-3, 0.35, 9_000, 0.45),
    3: (3.6e-3, 0.45, 3_600, 0.4),
}
COIN_SPREAD: Final = 1.2e-4
#: The simulated spot price at the middle of its path.
COIN_BASES: Final = {"BTC/USD": 91_400.0, "ETH/USD": 3_180.0}


class Odds:
    """Wandering log odds around a middle."""

    def __init__(self, seed: int, middle: float, pace: int) -> None:
        spread, bound, every_s, jump = PACES[pace]
        self._middle = middle
        self._path = Path(seed, pace=spread, bound=bound)
        self._jumps = Jumps(seed ^ 0x5EED, every_s=every_s, size=jump)

    def at(self, timestamp_ms: int) -> float:
        return self._middle + self._path.at(timestamp_ms) + self._jumps.at(timestamp_ms)


class SinglePrice:
    """The chance of one question."""

    def __init__(self, seed: int, chance: float, pace: int) -> None:
        self._odds = Odds(seed, log_odds(chance), pace)

    def __call__(self, timestamp_ms: int) -> float:
        return logistic(max(-ODDS_MAX, min(ODDS_MAX, self._odds.at(timestamp_ms))))


class GroupPrices:
    """Chances of answers that exclude each other: they add up to 1 at every moment."""

    def __init__(self, seed: int, weights: tuple[float, ...], pace: int) -> None:
        # Every answer feels the moves of all others too: one pace slower is lively enough.
        pace = min(pace, 2)
        self._odds = [
            Odds(seed_of(seed, "answer", rank), math.log(weight), pace)
            for rank, weight in enumerate(weights)
        ]
        self._known: tuple[int, list[float]] = (-1, [])

    def all_at(self, timestamp_ms: int) -> list[float]:
        """The chances of all answers."""
        if self._known[0] != timestamp_ms:
            heights = [math.exp(odds.at(timestamp_ms)) for odds in self._odds]
            total = sum(heights)
            self._known = (timestamp_ms, [height / total for height in heights])
        return self._known[1]


class AnswerPrice:
    """The chance of one answer of a group."""

    def __init__(self, group: GroupPrices, rank: int) -> None:
        self._group, self._rank = group, rank

    def __call__(self, timestamp_ms: int) -> float:
        return self._group.all_at(timestamp_ms)[self._rank]


class Course:
    """What a window is decided by: a spot price, or the hidden course of a match."""

    def __init__(self, seed: int, spread: float, octaves: int) -> None:
        self.spread = spread
        self._path = Path(seed, pace=spread, bound=math.inf, first_s=4, octaves=octaves)

    def at(self, timestamp_ms: int) -> float:
        return self._path.at(timestamp_ms)


class WindowPrice:
    """The chance that a course ends a window at or above where it began, plus a head start."""

    def __init__(self, course: Course, starts_ms: int, ends_ms: int, head_start: float) -> None:
        self._course = course
        self.starts_ms, self.ends_ms = starts_ms, ends_ms
        length = course.spread * math.sqrt((ends_ms - starts_ms) / 1000)
        self._base = course.at(starts_ms) - head_start * length

    def __call__(self, timestamp_ms: int) -> float:
        moment = min(max(timestamp_ms, self.starts_ms), self.ends_ms - 250)
        left = self._course.spread * math.sqrt((self.ends_ms - moment) / 1000)
        chance = normal_share((self._course.at(moment) - self._base) / left)
        return max(0.0005, min(0.9995, chance))

    def is_won(self) -> bool:
        """Whether the first outcome wins; equal counts for it."""
        return self._course.at(self.ends_ms) >= self._base


def coin_course(seed: int, symbol: str) -> Course:
    """The simulated spot price of a coin, in logarithms around its base."""
    return Course(seed_of(seed, "spot", symbol), COIN_SPREAD, octaves=18)


def spot_price(course: Course, symbol: str, timestamp_ms: int) -> float:
    """The simulated spot price in dollars."""
    return round(COIN_BASES[symbol] * math.exp(course.at(timestamp_ms)), 2)


def match_course(seed: int, slug: str) -> Course:
    """The hidden course of a recurring match; only its turns within a window count."""
    return Course(seed_of(seed, "course", slug), 1.0, octaves=11)


def share_of(seed: int, *words: object) -> float:
    """A fixed number in [0, 1) for a part of the world."""
    return (mix(seed_of(seed, *words), 1) + 1) / 2
