"""Room left before a rule breaks, beside an order: asked of whoever runs the account's rules.

`trading` knows no rules; `prop` registers a reader at start (imports go one way).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trading.formats import money_text
from trading.selectors.pages.accounts import Account

WARN_SHARE = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Room:
    """What an account may still lose, in dollars, and open; None where no rule limits it."""

    daily_left: Decimal | None = None
    total_left: Decimal | None = None
    positions_left: int | None = None
    held_outcome_ids: frozenset[int] = field(default=frozenset())


RoomReader = Callable[[Account, datetime], Room | None]
_readers: list[RoomReader] = []


def register_room_reader(reader: RoomReader) -> None:
    """Ask `reader` for every firm account; once per process."""
    if reader not in _readers:
        _readers.append(reader)


def read_room(account: Account, *, now: datetime) -> Room | None:
    """The room of a firm account; None for accounts without rules."""
    if not account.firm_name:
        return None
    for reader in _readers:
        room = reader(account, now)
        if room is not None:
            return room
    return None


def room_lines(room: Room, paid: Decimal) -> tuple[tuple[str, Decimal], ...]:
    """(label, dollars) of what is left if what was paid becomes worth nothing."""
    named = (("Daily room", room.daily_left), ("Total room", room.total_left))
    return tuple((label, left - paid) for label, left in named if left is not None)


def room_warning(room: Room, paid: Decimal, outcome_id: int) -> str:
    """Why this buy is dangerous for the challenge, naming the rule; "" when it is not."""
    is_new = outcome_id not in room.held_outcome_ids
    if is_new and room.positions_left is not None and room.positions_left <= 0:
        return "Open positions: one more position than allowed fails the challenge."
    for name, left in (("daily", room.daily_left), ("total", room.total_left)):
        if left is not None and paid > max(left, Decimal(0)) * WARN_SHARE:
            share = "all" if paid >= left else "more than half"
            return (
                f"{name.title()} loss: if this goes to 0 it uses {share} of the {name} room of "
                f"{money_text(max(left, Decimal(0)))}."
            )
    return ""
