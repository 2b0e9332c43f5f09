"""Figures of a phase's trading: wins, losses, fees, drawdown."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Avg, Count, Q

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


def read_statistics(*, wallet_id: int) -> Statistics | None:
    """Two queries; None for an account that is not there."""
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
    return Statistics(
        **figures,
        largest_drawdown=account.max_drawdown,
        fees=account.fees_paid,
        trades=account.trades_count,
    )
