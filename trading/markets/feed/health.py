"""When the venue counts as halted, and what the feed says of itself (contracts/README 17)."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

HALT_AT_THE_LATEST_S = 120.0


@dataclass(slots=True)
class VenueHealth:
    """Watches for silence. Times are monotonic seconds, `halted_since_ms` is unix time."""

    data_stale_s: float
    halt_s: float = HALT_AT_THE_LATEST_S
    is_halted: bool = False
    halted_since_ms: int = 0
    _halted_s: float = 0.0

    async def step(
        self,
        *,
        now_s: float,
        wall_ms: int,
        last_data_s: float,
        probe: Callable[[], Awaitable[bool]],
    ) -> bool:
        """Look once; True when the state changed.

        Halted: no data for `data_stale_s` and a REST probe fails too, or none for 120 s whatever
        the probe does. Over: with the first good data after the halt began.
        """
        if self.is_halted:
            if last_data_s <= self._halted_s and not await probe():
                return False
            logger.info("the venue answers again")
            self.is_halted, self.halted_since_ms = False, 0
            return True
        silence_s = now_s - last_data_s
        if silence_s < self.data_stale_s:
            return False
        if await probe():
            return False
        logger.warning("venue halt: no data for %.0f s and no answer over REST", silence_s)
        self.is_halted, self.halted_since_ms, self._halted_s = True, wall_ms, now_s
        return True

    def halt_overdue(self, *, now_s: float, wall_ms: int, last_data_s: float) -> bool:
        """Halt without waiting for a probe that hangs; True when the state changed."""
        if self.is_halted or now_s - last_data_s < self.halt_s:
            return False
        logger.warning("venue halt: no data for %.0f s", now_s - last_data_s)
        self.is_halted, self.halted_since_ms, self._halted_s = True, wall_ms, now_s
        return True
