"""Figures of a phase's trading: wins, losses, fees, drawdown."""

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection
from django.db.models import Avg, Count, Q

from prop.models import ChallengePhase
from trading.models import Position
from wallets.models import FirmAccount


@dataclass(frozen=True, slots=True)
class Statistics:
    """Closed positions and what trading cost, in dollars."""

    closed: int
    won: int
    average_win: Decimal | None
    average_loss: Decimal | None
    largest_drawdown: Decimal
    fees: Decimal
    trades: int

    @property
    def win_ratio(self) -> Decimal | None:
        """Won of closed, as a fraction."""
        return Decimal(self.won) / self.closed if self.closed else None


LARGEST_DRAWDOWN = """
SELECT max(peak - equity) FROM (
    SELECT equity, greatest(%(start)s, max(equity) OVER (ORDER BY id)) AS peak
    FROM prop_metricsnapshot WHERE phase_id = %(phase)s
) AS measured
"""


def read_statistics(*, wallet_id: int, phase: ChallengePhase | None) -> Statistics | None:
    """At most three queries; None for an account that is not there.

    An ended phase keeps the drawdown it had: what its account still holds is worth something else
    every day, but nobody trades it any more.
    """
    account = FirmAccount.objects.filter(pk=wallet_id).first()
    if account is None:
        return None
    is_won, is_lost = Q(realized_pnl__gt=0), Q(realized_pnl__lt=0)
    figures = Position.objects.filter(wallet_id=wallet_id, status="CLOSED").aggregate(
        closed=Count("pk"),
        won=Count("pk", filter=is_won),
        average_win=Avg("realized_pnl", filter=is_won),
        average_loss=Avg("realized_pnl", filter=is_lost),
    )
    drawdown = read_drawdown(phase) if phase and phase.end_at else account.max_drawdown
    return Statistics(
        **figures,
        largest_drawdown=drawdown,
        fees=account.fees_paid,
        trades=account.trades_count,
    )


def read_drawdown(phase: ChallengePhase) -> Decimal:
    """The deepest fall from a peak among the phase's metrics, in dollars. One query."""
    with connection.cursor() as cursor:
        cursor.execute(LARGEST_DRAWDOWN, {"start": phase.initial_equity, "phase": phase.pk})
        (drawdown,) = cursor.fetchone()
    return drawdown or Decimal(0)
