"""What a recording offers to the player, and how one is opened.

Two layouts are known: the folder of collected recordings (`collected`), and what `record_prices`
writes (`captured`). Both stream their entries from disk; only catalogue and first books are kept.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from trading.markets.standin.market import Change, Event, Market

META_NAME: Final = "meta.json"
COLLECTED_NAME: Final = "l2_mlb_markets.jsonl"


class RecordingError(Exception):
    """The folder holds nothing that can be played."""


@dataclass(frozen=True, slots=True)
class BookEntry:
    """A whole book of a market, in prices of the first outcome."""

    market: Market
    bids: dict[int, int]
    asks: dict[int, int]
    last_prices: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """Levels that changed, in prices of the first outcome."""

    market: Market
    changes: list[Change]


@dataclass(frozen=True, slots=True)
class TradeEntry:
    """A public trade of one outcome at its own price."""

    market: Market
    outcome_index: int
    price: int
    size: int
    side: str


@dataclass(frozen=True, slots=True)
class TickEntry:
    """The market's tick changed."""

    market: Market
    tick: int


Entry = BookEntry | ChangeEntry | TradeEntry | TickEntry
#: (recorded milliseconds since the recording began, what happened then)
Timed = tuple[int, Entry]


@dataclass(slots=True)
class PriceTrack:
    """Recorded middle prices of one market by recorded time."""

    offsets: array[int] = field(default_factory=lambda: array("q"))
    middles: array[int] = field(default_factory=lambda: array("q"))

    def add(self, offset_ms: int, middle: int) -> None:
        if not self.middles or self.middles[-1] != middle:
            self.offsets.append(offset_ms)
            self.middles.append(middle)

    def begin_at(self, offset_ms: int) -> None:
        """Count from a later moment on; what was before happens at the beginning."""
        self.offsets = array("q", (max(0, each - offset_ms) for each in self.offsets))

    def at(self, offset_ms: int) -> int | None:
        """The middle price at a recorded moment; the first one before it."""
        if not self.offsets:
            return None
        return self.middles[max(0, bisect_right(self.offsets, offset_ms) - 1)]


class Recording(Protocol):
    """A recording that can be played again and again."""

    #: Everything to list, with the dates moved to now.
    events: list[Event]
    #: How long one loop is, in recorded milliseconds.
    length_ms: int
    #: The book that each market has at the beginning of a loop.
    first_books: list[BookEntry]
    tracks: dict[str, PriceTrack]

    def entries(self) -> Iterator[Timed]:
        """Everything that happens in one loop, by rising time, read from disk."""


def open_recording(folder: Path, *, lists_everything: bool, now_ms: int) -> Recording:
    """Open a recording of either layout; dates are moved so that it begins at `now_ms`.

    Raises RecordingError.
    """
    if (folder / META_NAME).is_file():
        from trading.markets.standin.replay.captured import CapturedRecording

        return CapturedRecording(folder, now_ms=now_ms)
    if (folder / COLLECTED_NAME).is_file():
        from trading.markets.standin.replay.collected import CollectedRecording

        return CollectedRecording(folder, lists_everything=lists_everything, now_ms=now_ms)
    raise RecordingError(f"{folder} has neither {META_NAME} nor {COLLECTED_NAME}")
