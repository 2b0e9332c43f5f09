"""What became of simulated traders; money is scaled by 10**6."""

from dataclasses import dataclass, field

# A phase that the run's end found unfinished.
OPEN = "open"


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """One phase of one trader.

    `outcome` is passed, failed, ended (a funded phase whose time or days ran out) or open; `rule`
    decided it, `rules` are all that fired, first the deciding one. `hours` it lasted.
    """

    phase_index: int
    is_funded: bool
    outcome: str
    rule: str
    rules: tuple[str, ...]
    hours: int
    trading_days: int
    warned: int


@dataclass(slots=True)
class TraderResult:
    """One trader from purchase to end. `curve` has the phase and equity at each day's start."""

    index: int
    behaviour: str
    phases: list[PhaseResult] = field(default_factory=list)
    payout: int = 0
    firm_amount: int = 0
    payout_status: str = ""
    closed_at_end: bool = False
    orders: int = 0
    refused: int = 0
    fees: int = 0
    volume: int = 0
    curve: list[tuple[int, int]] = field(default_factory=list)
