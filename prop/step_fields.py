"""The fields of a step that are its rules: names, kinds, bounds (prop-backoffice 2 and 8).

One list for reading input, copying terms and writing answers. A value of 0 turns a rule off.
"""

from dataclasses import dataclass
from decimal import Decimal

from prop.models import Step


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number from 0 to `most`."""

    name: str
    most: int
    default: int = 0


@dataclass(frozen=True, slots=True)
class Percent:
    """A number of at most six places from 0 to `most`; a ratio where `most` is 1."""

    name: str
    most: int
    default: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    name: str
    allowed: tuple[str, ...]
    default: str


RuleField = Whole | Percent | Choice

# In the order in which answers show them: the reference's, then those beyond it.
RULE_FIELDS: tuple[RuleField, ...] = (
    Whole("duration_days", 3650),
    Percent("max_daily_loss_pct", 100),
    Percent("max_total_loss_pct", 100),
    Percent("max_daily_profit_pct", 1000),
    Percent("profit_target_pct", 1000),
    Percent("profit_split", 1),
    Whole("min_trading_days", 3650),
    Whole("max_trading_days", 3650),
    Whole("max_positions", 10_000),
    Choice("drawdown_mode", tuple(Step.DrawdownMode.values), Step.DrawdownMode.STATIC.value),
    Choice("daily_basis", tuple(Step.DailyBasis.values), Step.DailyBasis.EQUITY.value),
    Percent("consistency_pct", 100),
    Whole("min_profitable_days", 3650),
    Percent("profitable_day_pct", 1000),
    Whole("max_inactive_days", 3650),
    Percent("max_exposure_market_pct", 1000),
    Percent("max_exposure_event_pct", 1000),
    Percent("warning_pct", 100, Decimal(80)),
)
PERCENT_NAMES = frozenset(field.name for field in RULE_FIELDS if isinstance(field, Percent))
