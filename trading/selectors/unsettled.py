"""Positions of the current building that a result of the venue is owed to."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Exists, F, OuterRef, Subquery

from trading.markets.models import MarketResolution
from trading.models import Position, Settlement
from wallets.models import Wallet

# One sweep's work is bounded; what is left comes with the next one seconds later.
UNSETTLED_MAX = 2000


@dataclass(frozen=True, slots=True)
class UnsettledPosition:
    """A position and the newest version of its market's result (payouts in dollars a share)."""

    position_id: int
    user_id: int
    wallet_id: int
    condition_id: str
    question: str
    outcome_index: int
    outcome_label: str
    version: int
    payouts: tuple[Decimal, ...]


def list_unsettled_positions() -> list[UnsettledPosition]:
    """Open positions in resolved markets and settlements that a correction overtook; 2 queries.

    Closed firm accounts are owed nothing: their positions no longer settle (partner-api 8).
    """
    newest = MarketResolution.objects.filter(market=OuterRef("market")).order_by("-version")
    fields = (
        "wallet__user_id",
        "wallet_id",
        "market__condition_id",
        "market__question",
        "owed_version",
        "owed_payouts",
    )
    owed = {
        "owed_version": Subquery(newest.values("version")[:1]),
        "owed_payouts": Subquery(newest.values("payouts")[:1]),
    }
    open_rows = (
        Position.objects.filter(
            status=Position.Status.OPEN, market_id__in=MarketResolution.objects.values("market_id")
        )
        .annotate(owed_version=owed["owed_version"], owed_payouts=owed["owed_payouts"])
        .filter(owed_version__isnull=False)
        .exclude(wallet__trading_state=Wallet.TradingState.CLOSED)
        .order_by("id")
        .values("id", "outcome__index", "outcome__label", *fields)[:UNSETTLED_MAX]
    )
    found = [
        _unsettled(row, row["id"], row["outcome__index"], row["outcome__label"])
        for row in open_rows
    ]
    return found + _list_corrected(owed, fields)


def _list_corrected(owed: dict[str, Subquery], fields: tuple[str, ...]) -> list[UnsettledPosition]:
    corrected = MarketResolution.objects.filter(version__gt=1).values("market_id")
    later = Settlement.objects.filter(
        position=OuterRef("position"), version__gt=OuterRef("version")
    )
    rows = (
        Settlement.objects.filter(~Exists(later), market_id__in=corrected)
        .annotate(owed_version=owed["owed_version"], owed_payouts=owed["owed_payouts"])
        .filter(owed_version__gt=F("version"))
        .exclude(wallet__trading_state=Wallet.TradingState.CLOSED)
        .order_by("id")
        .values(
            "position_id",
            "position__outcome__index",
            "position__outcome__label",
            *fields,
        )[:UNSETTLED_MAX]
    )
    return [
        _unsettled(
            row,
            row["position_id"],
            row["position__outcome__index"],
            row["position__outcome__label"],
        )
        for row in rows
    ]


def _unsettled(row: dict[str, Any], position_id: int, index: int, label: str) -> UnsettledPosition:
    return UnsettledPosition(
        position_id=position_id,
        user_id=row["wallet__user_id"],
        wallet_id=row["wallet_id"],
        condition_id=row["market__condition_id"],
        question=row["market__question"],
        outcome_index=index,
        outcome_label=label,
        version=row["owed_version"],
        payouts=tuple(Decimal(payout) for payout in row["owed_payouts"]),
    )
