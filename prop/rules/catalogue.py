"""All rules in their order of precedence (prop-backoffice 6.2; the optional ones decided here).

1 total loss (fixed or trailing), 2 daily loss, 3 daily profit, 4 positions, then exposure per
market and per event: the first of them that fired fails the phase. 5 profit target, held back by
6 trading days, profitable days and consistency: passes it. 7 trading days at most, inactivity,
8 duration: looked at only when nothing before decided.

A new rule is a setting in `Terms`, one class, and its place in one of the lists below. `table` may
give it a column, which spares the phases that have it a judgement in every pass.
"""

from .counts import (
    Duration,
    EventExposure,
    Inactivity,
    MarketExposure,
    MaxPositions,
    MaxTradingDays,
)
from .losses import DailyLoss, DailyProfit, TotalLoss
from .passing import Consistency, MinProfitableDays, MinTradingDays, ProfitTarget
from .rule import LossRule, Rule

TOTAL_LOSS = TotalLoss()
DAILY_LOSS = DailyLoss()
PROFIT_TARGET = ProfitTarget()
MAX_TRADING_DAYS = MaxTradingDays()
INACTIVITY = Inactivity()
DURATION = Duration()

LOSS_RULES: tuple[LossRule, ...] = (TOTAL_LOSS, DAILY_LOSS)
FAIL_RULES: tuple[Rule, ...] = (
    *LOSS_RULES,
    DailyProfit(),
    MaxPositions(),
    MarketExposure(),
    EventExposure(),
)
PASS_CONDITIONS: tuple[Rule, ...] = (MinTradingDays(), MinProfitableDays(), Consistency())
LATE_RULES: tuple[Rule, ...] = (MAX_TRADING_DAYS, INACTIVITY, DURATION)

RULES: tuple[Rule, ...] = (*FAIL_RULES, PROFIT_TARGET, *PASS_CONDITIONS, *LATE_RULES)
RULES_BY_NAME = {rule.name: rule for rule in RULES}
