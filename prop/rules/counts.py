"""The rules on counts and times: positions, exposure, days, inactivity, the end of the phase.

They never wait for prices. Contract: prop-backoffice 6.2, 6.3 and 8.
"""

from decimal import Decimal

from polysim.kernel.money import from_scaled

from .exact import days_of, percent_of, share_down, share_half_up
from .measures import Measures
from .rule import Rule
from .terms import Terms
from .words import count_words, measured_words, money_words, percent_words


class MaxPositions(Rule):
    """Outcomes held at the same time; resting orders do not count."""

    name = "max_positions"
    title = "Open positions"
    formula = "open positions > limit"

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        return (
            f"Open positions: at most {terms.max_positions} outcomes held at the same time. "
            "Resting orders do not count."
        )

    def fires(self, terms: Terms, measures: Measures) -> bool:
        return measures.open_positions > terms.max_positions

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return Decimal(measures.open_positions)

    def message(self, terms: Terms, measures: Measures) -> str:
        positions = count_words(measures.open_positions, "open position")
        return f"{positions}: more than the {terms.max_positions} allowed"


class MarketExposure(Rule):
    """Cost of the shares held in one market, as a percent of the initial balance."""

    name = "max_exposure_market_pct"
    title = "Exposure in one market"
    formula = "cost of the shares held in one market / start * 100 > limit"
    place = "market"

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        percent = percent_words(self.limit(terms))
        room = money_words(share_half_up(terms.scaled.start, self._scaled_limit(terms)), currency)
        return (
            f"{self.title}: the shares held in one {self.place} must not have cost more than "
            f"{percent} of the initial balance ({room})."
        )

    def fires(self, terms: Terms, measures: Measures) -> bool:
        most = share_down(terms.scaled.start, self._scaled_limit(terms))
        return self._exposure(measures) > most

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(percent_of(self._exposure(measures), terms.scaled.start))

    def basis(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(terms.scaled.start)

    def message(self, terms: Terms, measures: Measures) -> str:
        actual, limit = self.actual(terms, measures), self.limit(terms)
        return (
            f"{self.title} {measured_words(actual)} went over the limit of {percent_words(limit)}"
        )

    def _scaled_limit(self, terms: Terms) -> int:
        return terms.scaled.market_exposure

    def _exposure(self, measures: Measures) -> int:
        return measures.market_exposure


class EventExposure(MarketExposure):
    """The same over all markets of one event."""

    name = "max_exposure_event_pct"
    title = "Exposure in one event"
    formula = "cost of the shares held in one event / start * 100 > limit"
    place = "event"

    def _scaled_limit(self, terms: Terms) -> int:
        return terms.scaled.event_exposure

    def _exposure(self, measures: Measures) -> int:
        return measures.event_exposure


class MaxTradingDays(Rule):
    """More trading days than allowed: fails an evaluation, ends a funded phase."""

    name = "max_trading_days"
    title = "Trading days at most"
    formula = "trading days > limit"

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        days = count_words(terms.max_trading_days, "trading day")
        end = "the phase ends and profit is paid" if terms.is_funded else "the phase fails"
        return f"Trading days: at most {days}; with one more, {end}."

    def fires(self, terms: Terms, measures: Measures) -> bool:
        return measures.trading_days > terms.max_trading_days

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return Decimal(measures.trading_days)

    def message(self, terms: Terms, measures: Measures) -> str:
        days = count_words(measures.trading_days, "trading day")
        return f"{days}: more than the {terms.max_trading_days} allowed"


class Inactivity(Rule):
    """Too long without a fill, counted from the last one, or from the start before the first."""

    name = "max_inactive_days"
    title = "Inactivity"
    formula = "now >= last fill + limit * 86400 s"

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        days = count_words(terms.max_inactive_days, "day")
        return f"Inactivity: trade at least once every {days} (each of 24 hours)."

    def fires(self, terms: Terms, measures: Measures) -> bool:
        return measures.at >= terms.inactive_at(measures.start_time, measures.last_fill_at)

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return days_of(measures.at - max(measures.start_time, measures.last_fill_at))

    def message(self, terms: Terms, measures: Measures) -> str:
        days = count_words(terms.max_inactive_days, "day")
        return f"No trade for {days}: the limit is {days}"


class Duration(Rule):
    """The end of the phase: plain seconds since its start, no calendar."""

    name = "duration_days"
    title = "Time"
    formula = "now >= start time + limit * 86400 s"

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        days = count_words(terms.duration_days, "day")
        if terms.is_funded:
            return f"Time: the phase runs {days} (each of 24 hours); then profit is paid."
        if terms.profit_target_pct > 0:
            return f"Time: reach the profit target within {days} (each of 24 hours)."
        return f"Time: keep all the rules for {days} (each of 24 hours) to pass."

    def fires(self, terms: Terms, measures: Measures) -> bool:
        return measures.at >= terms.deadline(measures.start_time)

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return days_of(measures.at - measures.start_time)

    def message(self, terms: Terms, measures: Measures) -> str:
        days = count_words(terms.duration_days, "day")
        target = percent_words(terms.profit_target_pct)
        return f"The {days} of the phase ended before the profit target of {target} was reached"
