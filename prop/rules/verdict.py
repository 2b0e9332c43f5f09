"""The verdict on one phase: the only place that decides and words it.

Contract: prop-backoffice 6.2 and 6.3. Stale prices: rules on equity and the pass test wait; counts
and times still run, as far as they fail a phase. What would pass it (a deadline without a target,
the end of a funded phase) is a pass test and waits; and so does a time rule when by the last known
prices a rule on equity or the target would have come first: an outage passes and fails nobody.
"""

from dataclasses import dataclass
from decimal import Decimal

from polysim.kernel.money import from_scaled

from .catalogue import (
    DURATION,
    FAIL_RULES,
    INACTIVITY,
    LATE_RULES,
    LOSS_RULES,
    PASS_CONDITIONS,
    PROFIT_TARGET,
    RULES_BY_NAME,
)
from .measures import Measures
from .rule import LossRule, Rule
from .terms import Terms
from .words import money_words, percent_words, used_words

ACTIVE = "active"
PASSED = "passed"
FAILED = "failed"
# A funded phase that ran out its days or its time: passed without a target, to be paid.
ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Breach:
    """A fail rule that fired, with the figures of prop-backoffice 2 (six places)."""

    rule: str
    limit_value: Decimal
    actual_value: Decimal
    basis_value: Decimal
    is_primary: bool
    message: str


@dataclass(frozen=True, slots=True)
class Warned:
    """A loss rule whose early warning is due; `threshold` is the equity at which it breaks."""

    rule: str
    limit_value: Decimal
    actual_value: Decimal
    threshold: Decimal
    message: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rule` is the one that decided, "" while active; breaches stand in order of precedence."""

    state: str = ACTIVE
    rule: str = ""
    breaches: tuple[Breach, ...] = ()
    warnings: tuple[Warned, ...] = ()

    @property
    def is_final(self) -> bool:
        """Whether the phase is over."""
        return self.state != ACTIVE


def evaluate(terms: Terms, measures: Measures) -> Verdict:
    """Judge one phase by one reading."""
    fired = [rule for rule in FAIL_RULES if _is_judged(rule, terms, measures)]
    if fired:
        return _failed(fired, terms, measures)
    if not measures.is_price_stale and _is_target_met(terms, measures):
        return Verdict(PASSED, PROFIT_TARGET.name)
    late = [rule for rule in LATE_RULES if _is_judged(rule, terms, measures)]
    if late:
        verdict = _late(late, terms, measures)
        if not measures.is_price_stale:
            return verdict
        if verdict.state == FAILED and not _may_hang_on_prices(verdict, terms, measures):
            return verdict
    return Verdict(warnings=_warnings(terms, measures))


def held_back_by(terms: Terms, measures: Measures) -> tuple[Rule, ...]:
    """The conditions that a pass still waits for."""
    return tuple(
        rule for rule in PASS_CONDITIONS if rule.is_on(terms) and rule.fires(terms, measures)
    )


def _is_judged(rule: Rule, terms: Terms, measures: Measures) -> bool:
    if rule.waits_for_prices and measures.is_price_stale:
        return False
    return rule.is_on(terms) and rule.fires(terms, measures)


def _is_target_met(terms: Terms, measures: Measures) -> bool:
    if not PROFIT_TARGET.is_on(terms) or not PROFIT_TARGET.fires(terms, measures):
        return False
    return not held_back_by(terms, measures)


def _may_hang_on_prices(verdict: Verdict, terms: Terms, measures: Measures) -> bool:
    """Whether a late failure rests on old prices, or by them something would come before it."""
    if RULES_BY_NAME[verdict.rule].waits_for_prices or _is_target_met(terms, measures):
        return True
    return any(
        rule.waits_for_prices and rule.is_on(terms) and rule.fires(terms, measures)
        for rule in FAIL_RULES
    )


def _late(late: list[Rule], terms: Terms, measures: Measures) -> Verdict:
    """Rules 7, inactivity and 8: the first decides; the others that fail are recorded."""
    first = late[0]
    if terms.is_funded:
        if first is not INACTIVITY:
            return Verdict(ENDED, first.name)
        return _failed([first], terms, measures)
    if DURATION in late and not PROFIT_TARGET.is_on(terms):
        missing = held_back_by(terms, measures)
        if first is DURATION and not missing:
            return Verdict(PASSED, DURATION.name)
        late = [rule for rule in late if rule is not DURATION] + list(missing)
    return _failed(late, terms, measures)


def _failed(fired: list[Rule], terms: Terms, measures: Measures) -> Verdict:
    breaches = tuple(
        Breach(
            rule=rule.name,
            limit_value=rule.limit(terms),
            actual_value=rule.actual(terms, measures),
            basis_value=rule.basis(terms, measures),
            is_primary=place == 0,
            message=rule.message(terms, measures),
        )
        for place, rule in enumerate(fired)
    )
    return Verdict(FAILED, fired[0].name, breaches)


def _warnings(terms: Terms, measures: Measures) -> tuple[Warned, ...]:
    if measures.is_price_stale:
        return ()
    return tuple(
        _warned(rule, terms, measures)
        for rule in LOSS_RULES
        if rule.is_on(terms) and rule.warns(terms, measures)
    )


def _warned(rule: LossRule, terms: Terms, measures: Measures) -> Warned:
    actual, floor = rule.actual(terms, measures), rule.floor(terms, measures)
    room = money_words(measures.equity - floor)
    return Warned(
        rule=rule.name,
        limit_value=rule.limit(terms),
        actual_value=actual,
        threshold=from_scaled(floor),
        message=(
            f"{rule.subject} {used_words(actual)} of the allowed "
            f"{percent_words(rule.limit(terms))}: {room} left until {money_words(floor)}"
        ),
    )
