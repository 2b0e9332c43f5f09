"""Ids of synthetic markets: stable per seed, and readable backwards.

A condition id is 48 hex digits of a hash plus 16 that name the series and the slot (the start of a
window in minutes, or the year of the catalogue). So a market of any past window is found again
without remembering it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

SERIES_BITS: Final = 16
SLOT_BITS: Final = 47
LOW_BITS: Final = SERIES_BITS + SLOT_BITS + 1


@dataclass(frozen=True, slots=True)
class Place:
    """Where a synthetic market belongs: which series (or template), which slot of it."""

    series: int
    slot: int


def digest(seed: int, *words: object) -> str:
    """64 hex digits for a seed and some words."""
    text = "|".join(str(word) for word in ("polysim", seed, *words))
    return hashlib.sha256(text.encode()).hexdigest()


def seed_of(seed: int, *words: object) -> int:
    """A 64-bit seed of its own for a part of the world."""
    return int(digest(seed, *words)[:16], 16)


def condition_id(seed: int, place: Place) -> str:
    """0x and 64 hex digits."""
    head = digest(seed, "condition", place.series, place.slot)[:48]
    return f"0x{head}{place.series:04x}{place.slot:012x}"


def token_id(seed: int, place: Place, outcome_index: int) -> str:
    """A decimal text of up to 78 digits."""
    head = int(digest(seed, "token", place.series, place.slot, outcome_index)[:48], 16)
    low = (place.series << (SLOT_BITS + 1)) | (place.slot << 1) | outcome_index
    return str((head << LOW_BITS) | low)


def gamma_id(place: Place) -> str:
    """Gamma's own id: digits, unique over series and slots."""
    return str(7_000_000_000_000 + place.series * 1_000_000_000 + place.slot)


def place_of(seed: int, identifier: str) -> Place | None:
    """The place that a condition id or token id names; None when it is not of this seed."""
    if identifier.startswith("0x") and len(identifier) == 66:
        try:
            place = Place(int(identifier[50:54], 16), int(identifier[54:], 16))
        except ValueError:
            return None
        return place if condition_id(seed, place) == identifier else None
    if not identifier.isdecimal() or len(identifier) > 80:
        return None
    low = int(identifier) & ((1 << LOW_BITS) - 1)
    place = Place(low >> (SLOT_BITS + 1), (low >> 1) & ((1 << SLOT_BITS) - 1))
    return place if token_id(seed, place, low & 1) == identifier else None
