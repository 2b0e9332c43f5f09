"""The terms of one phase: every limit and setting of its step, as copied into the challenge.

Contract: prop-backoffice 2 (step fields) and 8 (settings beyond the reference, off by default).
A limit of 0 means that the rule is off.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property

from polysim.kernel.money import divide_up, parse_decimal, to_scaled

from .exact import HUNDRED_PERCENT, SECONDS_PER_DAY

EVALUATION = 0
FUNDED = 1

# How the floor of the total loss moves: not at all; with the highest equity seen; with the
# highest equity at a day's start; with the highest equity, but never above the initial balance.
DRAWDOWN_MODES = ("static", "trailing", "trailing_eod", "trailing_locked")
# What the daily rules are a percent of: the day's start equity; its start balance; the higher of
# both; the initial balance, counted from the day's start equity.
DAILY_BASES = ("equity", "balance", "higher", "initial")
TRADING_DAYS_MODES = ("fills", "snapshots")


@dataclass(frozen=True, slots=True)
class ScaledTerms:
    """The same numbers as integers scaled by 10**6; warnings as percents of the basis."""

    start: int
    daily_loss: int
    total_loss: int
    daily_profit: int
    target: int
    consistency: int
    profitable_day: int
    market_exposure: int
    event_exposure: int
    daily_warning: int
    total_warning: int


@dataclass(frozen=True, kw_only=True)
class Terms:
    """Rules of one phase. Money and percents are Decimal with at most six places.

    `profit_split` is a ratio (0.8 = 80 %). `warning_pct` is the part of a loss limit at which the
    trader is warned (0 = never). `profitable_day_pct` is a percent of the initial balance.
    """

    initial_balance: Decimal
    phase_type: int = EVALUATION
    duration_days: int = 0
    max_daily_loss_pct: Decimal = Decimal(0)
    max_total_loss_pct: Decimal = Decimal(0)
    max_daily_profit_pct: Decimal = Decimal(0)
    profit_target_pct: Decimal = Decimal(0)
    profit_split: Decimal = Decimal(0)
    min_trading_days: int = 0
    max_trading_days: int = 0
    max_positions: int = 0
    drawdown_mode: str = "static"
    daily_basis: str = "equity"
    consistency_pct: Decimal = Decimal(0)
    min_profitable_days: int = 0
    profitable_day_pct: Decimal = Decimal(0)
    max_inactive_days: int = 0
    max_exposure_market_pct: Decimal = Decimal(0)
    max_exposure_event_pct: Decimal = Decimal(0)
    warning_pct: Decimal = Decimal(80)
    trading_days_mode: str = "fills"

    def __post_init__(self) -> None:
        for value, allowed in (
            (self.phase_type, (EVALUATION, FUNDED)),
            (self.drawdown_mode, DRAWDOWN_MODES),
            (self.daily_basis, DAILY_BASES),
            (self.trading_days_mode, TRADING_DAYS_MODES),
        ):
            if value not in allowed:
                raise ValueError(f"{value!r} is none of {allowed}")
        if self.initial_balance <= 0:
            raise ValueError("A phase needs a positive initial balance")

    @property
    def is_funded(self) -> bool:
        """Whether profit of this phase is paid out."""
        return self.phase_type == FUNDED

    @cached_property
    def scaled(self) -> ScaledTerms:
        """Integers for comparing; raises NotExact for more than six decimal places."""
        daily_loss = to_scaled(self.max_daily_loss_pct)
        total_loss = to_scaled(self.max_total_loss_pct)
        warning = to_scaled(self.warning_pct)
        return ScaledTerms(
            start=to_scaled(self.initial_balance),
            daily_loss=daily_loss,
            total_loss=total_loss,
            daily_profit=to_scaled(self.max_daily_profit_pct),
            target=to_scaled(self.profit_target_pct),
            consistency=to_scaled(self.consistency_pct),
            profitable_day=to_scaled(self.profitable_day_pct),
            market_exposure=to_scaled(self.max_exposure_market_pct),
            event_exposure=to_scaled(self.max_exposure_event_pct),
            # A percent has six places, so has the one at which the warning comes.
            daily_warning=divide_up(daily_loss * warning, HUNDRED_PERCENT),
            total_warning=divide_up(total_loss * warning, HUNDRED_PERCENT),
        )

    def deadline(self, start_time: int) -> int:
        """Unix time at which the phase is over, 0 when it has no end."""
        return start_time + self.duration_days * SECONDS_PER_DAY if self.duration_days else 0

    def inactive_at(self, start_time: int, last_fill_at: int) -> int:
        """Unix time at which the trader counts as inactive, 0 when the rule is off."""
        if not self.max_inactive_days:
            return 0
        return max(start_time, last_fill_at) + self.max_inactive_days * SECONDS_PER_DAY

    def as_data(self) -> dict[str, int | str]:
        """For JSON: Decimals as plain text, so that no reader makes a binary fraction of them."""
        data: dict[str, int | str] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            data[field.name] = f"{value:f}" if isinstance(value, Decimal) else value
        return data

    @classmethod
    def from_data(cls, data: Mapping[str, object]) -> "Terms":
        """Read `as_data` or a step's fields: other keys are passed over, absent ones are off.

        Raises ValueError (NotExact among them) for values that are no terms.
        """
        values: dict[str, object] = {}
        for field in fields(cls):
            if field.name not in data:
                continue
            value = data[field.name]
            if field.type is Decimal:
                value = parse_decimal(value)
            elif field.type is int and (isinstance(value, bool) or not isinstance(value, int)):
                raise ValueError(f"{field.name} is no whole number: {value!r}")
            values[field.name] = value
        if "initial_balance" not in values:
            raise ValueError("initial_balance is missing")
        return cls(**values)  # type: ignore[arg-type]
