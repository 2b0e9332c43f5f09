"""Smooth randomness: a path through time that is a pure function of a seed.

The same seed gives the same value for the same moment in every run, so prices go on after a
restart where they stood, the past can be asked for at any moment, and results can be told again.
"""

from __future__ import annotations

import math
from typing import Final

MASK: Final = (1 << 64) - 1
HALF: Final = 1 << 63


def mix(seed: int, index: int) -> float:
    """A number in [-1, 1) for a seed and an index (the splitmix64 generator)."""
    value = (seed + index * 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    value ^= value >> 31
    return value / HALF - 1.0


class Path:
    """A wandering value: octaves of noise, each twice as slow as the one before.

    `pace` is the spread after one second; slow octaves stop growing at `bound`, which pulls the
    value back to its middle. Values are in units of the caller.
    """

    __slots__ = ("_cache", "_octaves", "_seed")

    #: What a walk made of octaves spreads in one second, for amplitudes of sqrt(period in s).
    SPREAD: Final = 1.34

    def __init__(
        self, seed: int, *, pace: float, bound: float, first_s: int = 8, octaves: int = 19
    ) -> None:
        self._seed = seed & MASK
        self._octaves: list[tuple[int, float, int]] = []
        for rank in range(octaves):
            period_s = first_s << rank
            amplitude = min(pace / self.SPREAD * math.sqrt(period_s), bound)
            # Octaves start at different moments, else all of them would turn together.
            shift = int((mix(self._seed, -1 - rank) + 1) * 500 * period_s)
            self._octaves.append((period_s * 1000, amplitude, shift))
        self._cache: list[tuple[int, float, float]] = [(-1, 0.0, 0.0)] * octaves

    def at(self, timestamp_ms: int) -> float:
        """The value at a unix millisecond."""
        total = 0.0
        for rank, (period, amplitude, shift) in enumerate(self._octaves):
            index, offset = divmod(timestamp_ms + shift, period)
            known, left, right = self._cache[rank]
            if known != index:
                seed = self._seed ^ (rank + 1) * 0xD1B54A32D192ED03
                left, right = mix(seed, index), mix(seed, index + 1)
                self._cache[rank] = (index, left, right)
            total += amplitude * (left + (right - left) * offset / period)
        return total


class Jumps:
    """A value that stays for a while and then jumps: mostly a little, now and then far."""

    __slots__ = ("_period_ms", "_seed", "_size")

    def __init__(self, seed: int, *, every_s: int, size: float) -> None:
        self._seed = seed & MASK
        self._period_ms = every_s * 1000
        self._size = size

    def at(self, timestamp_ms: int) -> float:
        """The value at a unix millisecond; jumps fall on irregular moments."""
        index, offset = divmod(timestamp_ms, self._period_ms)
        moment = (mix(self._seed ^ 0xA5A5A5A5, index) + 1) / 2 * self._period_ms
        height = mix(self._seed, index if offset >= moment else index - 1)
        return self._size * height**3


def normal_share(value: float) -> float:
    """The share of a normal distribution below `value`."""
    return 0.5 * (1.0 + math.erf(value / math.sqrt(2.0)))


def logistic(value: float) -> float:
    """Log odds to probability."""
    return 1.0 / (1.0 + math.exp(-value))


def log_odds(probability: float) -> float:
    """Probability to log odds."""
    return math.log(probability / (1.0 - probability))
