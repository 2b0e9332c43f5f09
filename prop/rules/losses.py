"""The rules on equity that fail a phase: total loss, daily loss, daily profit.

Contract: prop-backoffice 6.1, 6.2 and, for the moving floors and the daily basis, 8.
"""

from decimal import Decimal

from polysim.kernel.money import from_scaled

from .exact import FAR, share_half_up, share_up
from .measures import Measures, day_anchor, percents, total_anchor, total_floor
from .rule import LossRule, Rule
from .terms import Terms
from .words import measured_words, money_words, percent_words


class TotalLoss(LossRule):
    """Loss since the start, or since the highest equity when the drawdown trails."""

    name = "max_total_loss_pct"
    title = "Total loss"
    subject = "Total loss"
    formula = "max(0, (start - equity) / start * 100) >= limit; trailing: peak for the first start"

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        start, limit = terms.scaled.start, terms.scaled.total_loss
        room = share_half_up(start, limit)
        percent, money = percent_words(terms.max_total_loss_pct), money_words(room, currency)
        floor = money_words(start - room, currency)
        if terms.drawdown_mode == "static":
            return (
                f"Total loss: your equity must stay above {floor}, which is {percent} ({money}) "
                "below the initial balance. Open positions count."
            )
        moves = {
            "trailing": "the highest equity reached, at any moment",
            "trailing_eod": "the highest equity at the start of a day",
            "trailing_locked": "the highest equity reached, until the floor stands at the "
            "initial balance, where it stays",
        }[terms.drawdown_mode]
        return (
            f"Trailing loss: your equity must stay above a floor that starts at {floor}, "
            f"{percent} of the initial balance ({money}) below, and follows {moves}. "
            "The floor never falls. Open positions count."
        )

    def floor(self, terms: Terms, measures: Measures) -> int:
        return total_floor(terms, measures)

    def warning_floor(self, terms: Terms, measures: Measures) -> int:
        start, scaled = terms.scaled.start, terms.scaled
        if terms.drawdown_mode != "trailing_locked":
            return total_anchor(terms, measures) - share_up(start, scaled.total_warning)
        # Counted from the floor, which may be locked: what is left of the limit after its part.
        peak = max(start, measures.peak_equity, measures.equity)
        unlocked = peak - share_up(start, scaled.total_warning)
        locked = start + share_half_up(start, scaled.total_loss)
        return min(unlocked, locked - share_up(start, scaled.total_warning))

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(percents(terms, measures).total_loss)

    def basis(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(total_anchor(terms, measures))

    def message(self, terms: Terms, measures: Measures) -> str:
        return _reached(self.subject, self.actual(terms, measures), self.limit(terms))


class DailyLoss(LossRule):
    """Loss since the start of the local day."""

    name = "max_daily_loss_pct"
    title = "Daily loss"
    subject = "Daily loss"
    formula = "max(0, (day - equity) / day * 100) >= limit"

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        percent = percent_words(terms.max_daily_loss_pct)
        room = money_words(share_half_up(terms.scaled.start, terms.scaled.daily_loss), currency)
        basis = _basis_words(terms)
        example = "every day" if terms.daily_basis == "initial" else "on the first day"
        return (
            f"Daily loss: within one day you must lose less than {percent} of {basis}, "
            f"{room} {example}. Open positions count, and the count starts anew each midnight."
        )

    def floor(self, terms: Terms, measures: Measures) -> int:
        return daily_floor(terms, measures, terms.scaled.daily_loss)

    def warning_floor(self, terms: Terms, measures: Measures) -> int:
        return daily_floor(terms, measures, terms.scaled.daily_warning)

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(percents(terms, measures).daily_loss)

    def basis(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(_anchor(terms, measures)[1])

    def message(self, terms: Terms, measures: Measures) -> str:
        return _reached(self.subject, self.actual(terms, measures), self.limit(terms))


class DailyProfit(Rule):
    """Profit since the start of the local day; too much of it fails the phase."""

    name = "max_daily_profit_pct"
    title = "Daily profit"
    formula = "max(0, (equity - day) / day * 100) >= limit"
    waits_for_prices = True

    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        percent = percent_words(terms.max_daily_profit_pct)
        room = money_words(share_half_up(terms.scaled.start, terms.scaled.daily_profit), currency)
        example = "every day" if terms.daily_basis == "initial" else "on the first day"
        return (
            f"Daily profit: within one day you must gain less than {percent} of "
            f"{_basis_words(terms)}, {room} {example}. Open positions count."
        )

    def threshold(self, terms: Terms, measures: Measures) -> int | None:
        return daily_ceiling(terms, measures)

    def fires(self, terms: Terms, measures: Measures) -> bool:
        return measures.equity >= daily_ceiling(terms, measures)

    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(percents(terms, measures).daily_profit)

    def basis(self, terms: Terms, measures: Measures) -> Decimal:
        return from_scaled(_anchor(terms, measures)[1])

    def message(self, terms: Terms, measures: Measures) -> str:
        return _reached("Daily profit", self.actual(terms, measures), self.limit(terms))


def daily_floor(terms: Terms, measures: Measures, limit: int) -> int:
    """The highest equity at which the day has lost `limit`; above every equity if day <= 0."""
    origin, basis = _anchor(terms, measures)
    return FAR if basis <= 0 else origin - share_up(basis, limit)


def daily_ceiling(terms: Terms, measures: Measures) -> int:
    """The lowest equity at which the day has gained the limit; beyond reach if day <= 0."""
    origin, basis = _anchor(terms, measures)
    return FAR if basis <= 0 else origin + share_up(basis, terms.scaled.daily_profit)


def _anchor(terms: Terms, measures: Measures) -> tuple[int, int]:
    return day_anchor(terms, equity=measures.day_start_equity, balance=measures.day_start_balance)


def _basis_words(terms: Terms) -> str:
    return {
        "equity": "the equity at the start of the day",
        "balance": "the balance at the start of the day",
        "higher": "the balance or equity at the start of the day, whichever is higher",
        "initial": "the initial balance, counted from the equity at the start of the day",
    }[terms.daily_basis]


def _reached(subject: str, actual: Decimal, limit: Decimal) -> str:
    return f"{subject} {measured_words(actual)} reached the limit of {percent_words(limit)}"
