"""Faults that tests and operators switch on through `/control` (polymarket-feed 11, test hooks)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

#: What a venue that lost its mind sends: half JSON, wrong types, unknown events, bad figures.
GARBAGE_FRAMES: Final = (
    '{"event_type":"book","asset_id":',
    "[1,2,3]",
    '{"event_type":"price_change","market":null,"price_changes":"none","synthetic":true}',
    '{"event_type":"never_heard_of","synthetic":true}',
    "INVALID OPERATION",
    "[]",
)


@dataclass(slots=True)
class HttpFault:
    """Answers `status` to requests below `path`, for a number of requests or until a moment."""

    status: int
    path: str = ""
    requests_left: int | None = None
    until_s: float | None = None
    retry_after: str = ""
    body: str | None = None
    delay_ms: int = 0

    def is_over(self) -> bool:
        """Whether it has done its work."""
        if self.requests_left is not None and self.requests_left <= 0:
            return True
        return self.until_s is not None and time.monotonic() >= self.until_s


class Faults:
    """All faults that are on now."""

    def __init__(self) -> None:
        self.http: list[HttpFault] = []
        self.frames_to_skip = 0
        self.wrong_hashes_left = 0
        self._frozen_until_s: float | None = None

    @property
    def is_frozen(self) -> bool:
        """Whether sockets get no data (they still get their PONG)."""
        return self._frozen_until_s is not None and time.monotonic() < self._frozen_until_s

    def freeze(self, seconds: float | None) -> None:
        """Stop the data of all sockets, for good (None) or for a while."""
        self._frozen_until_s = float("inf") if seconds is None else time.monotonic() + seconds

    def thaw(self) -> None:
        self._frozen_until_s = None

    def takes_wrong_hash(self) -> bool:
        """True if the next book is to carry a wrong hash; counts it."""
        if self.wrong_hashes_left <= 0:
            return False
        self.wrong_hashes_left -= 1
        return True

    def swallows_frame(self) -> bool:
        """True if the next data frame is to be lost; counts it."""
        if self.is_frozen:
            return True
        if self.frames_to_skip <= 0:
            return False
        self.frames_to_skip -= 1
        return True

    def http_fault(self, path: str) -> HttpFault | None:
        """The fault that this request meets; counts it."""
        self.http = [fault for fault in self.http if not fault.is_over()]
        for fault in self.http:
            if path.startswith(fault.path):
                if fault.requests_left is not None:
                    fault.requests_left -= 1
                return fault
        return None

    def clear(self) -> None:
        """Back to a healthy venue."""
        self.http.clear()
        self.frames_to_skip = self.wrong_hashes_left = 0
        self.thaw()
