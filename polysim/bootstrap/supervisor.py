"""Keeps the long-running processes of one installation alive."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from polysim.bootstrap.processes import Process

BACKOFF_SECONDS_FIRST = 0.5
BACKOFF_SECONDS_MAX = 30.0
STEADY_SECONDS = 60.0


@dataclass
class _Watched:
    process: Process
    failures: int = 0
    restart_at: float | None = None


class Supervisor:
    """Restarts each process that ends, after a pause that doubles up to half a minute.

    A process that ran for a minute starts again with the shortest pause. `report` receives one
    sentence per event; `now` is a monotonic clock in seconds.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        report: Callable[[str], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._watched = [_Watched(process) for process in processes]
        self._report = report
        self._now = now

    def check(self) -> list[Process]:
        """Look at every process once; returns those found dead in this round."""
        died = []
        for watched in self._watched:
            if watched.restart_at is not None:
                self._restart_when_due(watched)
            elif not watched.process.is_running:
                died.append(watched.process)
                self._plan_restart(watched)
        return died

    def _plan_restart(self, watched: _Watched) -> None:
        now = self._now()
        if now - watched.process.started_at > STEADY_SECONDS:
            watched.failures = 0
        pause = min(BACKOFF_SECONDS_FIRST * 2**watched.failures, BACKOFF_SECONDS_MAX)
        watched.failures = min(watched.failures + 1, 10)
        watched.restart_at = now + pause
        self._report(
            f"{watched.process.name} ended with exit code {watched.process.exit_code()}; "
            f"it is started again in {pause:g} s (see {watched.process.log_path})."
        )

    def _restart_when_due(self, watched: _Watched) -> None:
        if watched.restart_at is not None and self._now() >= watched.restart_at:
            watched.restart_at = None
            watched.process.wait_stopped(0)  # takes left-over grandchildren along
            watched.process.start()
            self._report(f"{watched.process.name} was started again.")
