"""What every rule is: one class with its limit, its test, its words and its figures."""

from abc import ABC, abstractmethod
from decimal import Decimal

from .measures import Measures
from .terms import Terms

NOTHING = Decimal(0)


class Rule(ABC):
    """One limit of a phase. Methods other than `is_on` are asked only while the rule is on.

    `waits_for_prices` marks the rules that judge equity: they rest while a held market has no
    fresh price. A new rule is one such class in the list of its kind (`catalogue`).
    """

    name: str
    title: str
    formula: str
    waits_for_prices: bool = False

    def limit(self, terms: Terms) -> Decimal:
        """The configured limit; 0 = off."""
        return Decimal(getattr(terms, self.name))

    def is_on(self, terms: Terms) -> bool:
        """Whether this phase has the rule."""
        return bool(getattr(terms, self.name) > 0)

    @abstractmethod
    def sentence(self, terms: Terms, currency: str = "USD") -> str:
        """The rule in words and money, for the trader before and while trading."""

    @abstractmethod
    def fires(self, terms: Terms, measures: Measures) -> bool:
        """Whether the limit is reached, compared exactly."""

    @abstractmethod
    def actual(self, terms: Terms, measures: Measures) -> Decimal:
        """The measured value beside the limit, in the limit's unit, six places."""

    @abstractmethod
    def message(self, terms: Terms, measures: Measures) -> str:
        """Why it fired, for the trader."""

    def basis(self, terms: Terms, measures: Measures) -> Decimal:
        """The money that the percent is taken of; 0 for counts and times."""
        return NOTHING

    def threshold(self, terms: Terms, measures: Measures) -> int | None:
        """The first equity (scaled) at which an equity rule fires; None for counts and times."""
        return None


class LossRule(Rule):
    """A loss in percent: fires at or below a floor of equity and warns before."""

    waits_for_prices = True
    subject: str

    @abstractmethod
    def floor(self, terms: Terms, measures: Measures) -> int:
        """The highest equity at which the rule fires (scaled)."""

    @abstractmethod
    def warning_floor(self, terms: Terms, measures: Measures) -> int:
        """The highest equity at which the trader is warned (scaled)."""

    def threshold(self, terms: Terms, measures: Measures) -> int | None:
        return self.floor(terms, measures)

    def fires(self, terms: Terms, measures: Measures) -> bool:
        return measures.equity <= self.floor(terms, measures)

    def warns(self, terms: Terms, measures: Measures) -> bool:
        """Whether the early warning's part of the limit is used up, and not yet all of it."""
        if terms.warning_pct <= 0 or self.fires(terms, measures):
            return False
        return measures.equity <= self.warning_floor(terms, measures)
