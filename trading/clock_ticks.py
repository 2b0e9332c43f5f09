"""What else happens at each step of an advancing test clock (partner-api B5).

Apps right of this one register their evaluation in `AppConfig.ready`; it runs inside the firm's
building and the step's transaction, in order of the clock's time.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

Tick = Callable[[Sequence[int], datetime], None]
_ticks: list[Tick] = []


def register_clock_tick(function: Tick) -> None:
    """Call `function(wallet_ids, now)` at each step for the accounts on the clock."""
    if function not in _ticks:
        _ticks.append(function)


def tick_accounts(wallet_ids: Sequence[int], now: datetime) -> None:
    """Let everybody evaluate these accounts at the clock's moment `now`."""
    for function in _ticks:
        function(wallet_ids, now)
