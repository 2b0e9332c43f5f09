"""The profit target, and the conditions that hold a pass back until they are met.

A condition never fails a phase by itself: it fails it only at the deadline of an evaluation
without a target. Contract: prop-backoffice 6.2 (rules 5 and 6), 6.3 and 8.
"""

from decimal import Decimal

from polysim.kernel.money import from_scaled

from .exact import FAR, HUNDRED_PERCENT, percent_of, share_half_up, share_up
from .measures import Measures, best_day, percents, profitable_days
from .rule import Rule
from .terms import Terms
from .words import count_words, measured_words, money_words, percent_words


class ProfitTarget(Rule):
    """Profit on equity, open positions included; reaching it passes the phase."""

    name = "profit_target_pct"
    title = "Profit target"
    formula = "(equity - start) / start * 100 >= target"
    waits_for_prices = True

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        start, target = terms.scaled.start, terms.scaled.target
        gain = share_half_up(start, target)
        return (
            f"Profit target: {percent_words(terms.profit_target_pct)} "
            f"({money_words(gain, currency)}), that is an equity of "
            f"{money_words(start + gain, currency)}. Open positions count."
        )

    def threshold(self, terms: Terms, measures: Measures) -> int | None:
        return target_equity(terms)

    def fires(self, terms: Terms, measures: Measures) -> bool:
        return measures.equity >= target_equity(terms)

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(percents(terms, measures).profit)

    def basis(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(terms.scaled.start)

    def message(self, terms: Terms, measures: Measures) -> str:
        actual = measured_words(self.actual(terms, measures))
        return f"Profit {actual} reached the target of {percent_words(self.limit(terms))}"


class MinTradingDays(Rule):
    """Days with a trade that a pass needs. `fires` = not enough yet."""

    name = "min_trading_days"
    title = "Trading days at least"
    formula = "trading days >= limit"

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        days = count_words(terms.min_trading_days, "day")
        return f"Trading days: trade on at least {days} before the phase can be passed."

    def fires(self, terms: Terms, measures: Measures) -> bool:
        return measures.trading_days < terms.min_trading_days

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return Decimal(measures.trading_days)

    def message(self, terms: Terms, measures: Measures) -> str:
        days = count_words(measures.trading_days, "trading day")
        return f"{days} at the end of the phase: at least {terms.min_trading_days} are needed"


class MinProfitableDays(Rule):
    """Days with profit that a pass needs; the running day counts as it stands."""

    name = "min_profitable_days"
    title = "Profitable days at least"
    formula = "days with result >= profitable_day_pct of start (and > 0) >= limit"
    waits_for_prices = True

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        days = count_words(terms.min_profitable_days, "day")
        if not terms.scaled.profitable_day:
            return f"Profitable days: end at least {days} with a profit."
        gain = share_half_up(terms.scaled.start, terms.scaled.profitable_day)
        return (
            f"Profitable days: gain {percent_words(terms.profitable_day_pct)} of the initial "
            f"balance ({money_words(gain, currency)}) on at least {days}."
        )

    def fires(self, terms: Terms, measures: Measures) -> bool:
        return self._count(terms, measures) < terms.min_profitable_days

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return Decimal(self._count(terms, measures))

    def message(self, terms: Terms, measures: Measures) -> str:
        days = count_words(self._count(terms, measures), "profitable day")
        return f"{days} at the end of the phase: at least {terms.min_profitable_days} are needed"

    def _count(self, terms: Terms, measures: Measures) -> int:
        return profitable_days(terms, measures.results_with_today)


class Consistency(Rule):
    """The best day's part of all profit; without a profit there is nothing to be uneven."""

    name = "consistency_pct"
    title = "Consistency"
    formula = "best day / (equity - start) * 100 <= limit"
    waits_for_prices = True

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        percent = percent_words(terms.consistency_pct)
        return f"Consistency: your best day makes at most {percent} of the whole profit."

    def fires(self, terms: Terms, measures: Measures) -> bool:
        profit = measures.equity - terms.scaled.start
        if profit <= 0:
            return False
        return best_day(measures) * HUNDRED_PERCENT > terms.scaled.consistency * profit

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        profit = measures.equity - terms.scaled.start
        return from_scaled(percent_of(best_day(measures), profit) if profit > 0 else 0)

    def basis(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(measures.equity - terms.scaled.start)

    def message(self, terms: Terms, measures: Measures) -> str:
        actual = measured_words(self.actual(terms, measures))
        return (
            f"The best day made {actual} of the profit: at most "
            f"{percent_words(self.limit(terms))} is allowed"
        )


def target_equity(terms: Terms) -> int:
    """The lowest equity that reaches the target; beyond reach without one."""
    start, target = terms.scaled.start, terms.scaled.target
    return start + share_up(start, target) if target else FAR
