"""The report of a run as plain data: numbers as text or whole numbers, ready for JSON.

Money is dollars with cents as text, rates are percents with two decimals as text, times are days
with one decimal as text. Intervals cover 95 % and speak of the traders drawn, not of other prices.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from polysim.kernel.money import CENT, divide_half_up, divide_up

from .behaviours import BEHAVIOURS
from .outcomes import OPEN, TraderResult
from .paths import STEPS_PER_DAY, World
from .plan import PhasePlan, Plan, dollars_of
from .statistics import mean_interval, quantile, wilson, worst_of_sales

PASSED, FAILED, PAID = "passed", "failed", "paid"
SAMPLES_SHOWN = 12
_TWO_PLACES = Decimal("0.01")

RULE_WORDS: Mapping[str, str] = {
    "max_total_loss_pct": "Total loss",
    "max_daily_loss_pct": "Daily loss",
    "max_daily_profit_pct": "Daily profit",
    "max_positions": "Open positions",
    "max_exposure_market_pct": "Too much in one market",
    "max_exposure_event_pct": "Too much in one event",
    "max_trading_days": "Too many trading days",
    "max_inactive_days": "Inactive",
    "duration_days": "Time ran out",
    "min_trading_days": "Too few trading days",
    "min_profitable_days": "Too few profitable days",
    "consistency_pct": "One day made too much",
}


def make_report(
    plan: Plan,
    world: World,
    results: Sequence[TraderResult],
    *,
    fee: int,
    currency: str,
    paths: str,
) -> dict[str, Any]:
    """Everything the page, the command and a later reader need. `fee` is scaled."""
    return {
        "seed": plan.seed,
        "traders": len(results),
        "days": plan.days,
        "paths": paths,
        "markets": world.markets,
        "phases": [_phase(phase, results) for phase in plan.phases],
        "overall": _overall(plan, results),
        "failures": _failures(plan, results),
        "money": _money(plan, results, fee, currency),
        "behaviours": _behaviours(plan, results),
        "activity": _activity(results),
        "samples": _samples(results),
    }


def rate(successes: int, trials: int) -> dict[str, Any]:
    """A rate in percent with its interval, and what it is made of."""
    low, high = wilson(successes, trials)
    value = Decimal(successes) / trials if trials else Decimal(0)
    return {
        "count": successes,
        "of": trials,
        "percent": _percent(value),
        "low": _percent(low),
        "high": _percent(high),
    }


def _percent(ratio: Decimal) -> str:
    return f"{(ratio * 100).quantize(_TWO_PLACES, ROUND_HALF_UP):f}"


def _days(hours: int | None) -> str | None:
    if hours is None:
        return None
    tenths = divide_half_up(hours * 10, STEPS_PER_DAY)
    return f"{tenths // 10}.{tenths % 10}"


def _spread_of_days(hours: Sequence[int]) -> dict[str, Any]:
    return {
        "median": _days(quantile(hours, 50)),
        "p10": _days(quantile(hours, 10)),
        "p90": _days(quantile(hours, 90)),
    }


def _phase(phase: PhasePlan, results: Sequence[TraderResult]) -> dict[str, Any]:
    """One phase: who entered, what became of them, how long it took to pass."""
    pairs = [
        (one, result)
        for result in results
        for one in result.phases
        if one.phase_index == phase.phase_index
    ]
    is_funded = phase.terms.is_funded
    good = [
        one
        for one, result in pairs
        if (result.payout_status == PAID if is_funded else one.outcome == PASSED)
    ]
    failed = [one for one, _ in pairs if one.outcome == FAILED]
    reasons = Counter(one.rule for one in failed)
    return {
        "phase_index": phase.phase_index,
        "name": phase.name,
        "is_funded": is_funded,
        "entered": len(pairs),
        "passed": rate(len(good), len(pairs)),
        "failed": len(failed),
        "open": sum(one.outcome == OPEN for one, _ in pairs),
        "ended": sum(one.outcome not in (FAILED, OPEN) for one, _ in pairs) if is_funded else 0,
        "warned": sum(one.warned > 0 for one, _ in pairs),
        "days": _spread_of_days([one.hours for one in good]),
        "trading_days": quantile([one.trading_days for one in good], 50),
        "reasons": [
            {"rule": rule, "words": RULE_WORDS.get(rule, rule), "count": count}
            for rule, count in sorted(reasons.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
    }


def has_passed_all(plan: Plan, result: TraderResult) -> bool:
    """Whether a trader passed every evaluation phase."""
    wanted = sum(not phase.terms.is_funded for phase in plan.phases)
    return sum(one.outcome == PASSED for one in result.phases if not one.is_funded) == wanted


def _overall(plan: Plan, results: Sequence[TraderResult]) -> dict[str, Any]:
    passed = [result for result in results if has_passed_all(plan, result)]
    hours = [sum(one.hours for one in result.phases if not one.is_funded) for result in passed]
    still_open = sum(any(one.outcome == OPEN for one in result.phases) for result in results)
    return {
        "passed": rate(len(passed), len(results)),
        "open": still_open,
        "closed_at_end": sum(result.closed_at_end for result in results),
        "days": _spread_of_days(hours),
    }


def _failures(plan: Plan, results: Sequence[TraderResult]) -> list[dict[str, Any]]:
    """First rules of all failures by phase, most frequent first."""
    names = {phase.phase_index: phase.name for phase in plan.phases}
    counts = Counter(
        (one.phase_index, one.rule)
        for result in results
        for one in result.phases
        if one.outcome == FAILED
    )
    also = Counter(
        (one.phase_index, rule)
        for result in results
        for one in result.phases
        if one.outcome == FAILED
        for rule in one.rules[1:]
    )
    whole = sum(counts.values())
    return [
        {
            "phase_index": phase_index,
            "phase": names[phase_index],
            "rule": rule,
            "words": RULE_WORDS.get(rule, rule),
            "count": count,
            "also": also[phase_index, rule],
            "percent": _percent(Decimal(count) / whole),
        }
        for (phase_index, rule), count in sorted(
            counts.items(), key=lambda pair: (-pair[1], pair[0])
        )
    ]


def _money(plan: Plan, results: Sequence[TraderResult], fee: int, currency: str) -> dict[str, Any]:
    """Per sale: the fee against what is paid out on average; the firm's share is not income."""
    payouts = [result.payout for result in results]
    paid = [payout for payout in payouts if payout]
    mean, low, high = mean_interval(payouts)
    low = max(0, low)
    break_even = divide_up(mean, CENT) * CENT
    return {
        "currency": currency,
        "fee": dollars_of(fee),
        "payout": {"mean": dollars_of(mean), "low": dollars_of(low), "high": dollars_of(high)},
        "margin": {
            "mean": dollars_of(fee - mean),
            "low": dollars_of(fee - high),
            "high": dollars_of(fee - low),
        },
        "per_hundred": {
            "fees": dollars_of(100 * fee),
            "payouts": dollars_of(100 * mean),
            "left": dollars_of(100 * (fee - mean)),
            "worst": dollars_of(worst_of_sales(payouts, fee=fee, seed=plan.seed)),
        },
        "ratio": _percent(Decimal(mean) / fee) if fee else None,
        "break_even": {
            "fee": dollars_of(break_even),
            "low": dollars_of(low),
            "high": dollars_of(high),
        },
        "paid": rate(len(paid), len(results)),
        "paid_median": dollars_of(quantile(paid, 50) or 0),
        "paid_largest": dollars_of(max(paid, default=0)),
        "paid_total": dollars_of(sum(paid)),
        "firm_total": dollars_of(sum(result.firm_amount for result in results)),
        "skipped": dict(
            sorted(
                Counter(
                    result.payout_status
                    for result in results
                    if result.payout_status and result.payout_status != PAID
                ).items()
            )
        ),
    }


def _behaviours(plan: Plan, results: Sequence[TraderResult]) -> list[dict[str, Any]]:
    rows = []
    for name, behaviour in BEHAVIOURS.items():
        mine = [result for result in results if result.behaviour == name]
        if not mine:
            continue
        reasons = Counter(
            one.rule for result in mine for one in result.phases if one.outcome == FAILED
        )
        first = min(reasons, key=lambda rule: (-reasons[rule], rule), default="")
        mean, low, high = mean_interval([result.payout for result in mine])
        rows.append(
            {
                "name": name,
                "title": behaviour.title,
                "words": behaviour.words,
                "passed": rate(sum(has_passed_all(plan, one) for one in mine), len(mine)),
                "payout": dollars_of(mean),
                "payout_low": dollars_of(max(0, low)),
                "payout_high": dollars_of(high),
                "orders": divide_half_up(sum(one.orders for one in mine), len(mine)),
                "fees": dollars_of(divide_half_up(sum(one.fees for one in mine), len(mine))),
                "reason": RULE_WORDS.get(first, first),
            }
        )
    return rows


def _activity(results: Sequence[TraderResult]) -> dict[str, Any]:
    return {
        "orders": sum(result.orders for result in results),
        "refused": sum(result.refused for result in results),
        "fees": dollars_of(sum(result.fees for result in results)),
        "volume": dollars_of(sum(result.volume for result in results)),
    }


def _samples(results: Sequence[TraderResult]) -> list[dict[str, Any]]:
    """Equity at each day's start of the first traders that have any days."""
    shown = [result for result in results if result.curve][:SAMPLES_SHOWN]
    return [
        {
            "trader": result.index,
            "behaviour": BEHAVIOURS[result.behaviour].title,
            "outcome": _outcome(result),
            "points": [[phase, dollars_of(equity)] for phase, equity in result.curve],
        }
        for result in shown
    ]


def _outcome(result: TraderResult) -> str:
    last = result.phases[-1]
    if last.outcome == FAILED:
        return f"failed: {RULE_WORDS.get(last.rule, last.rule).lower()}"
    if result.payout_status == PAID:
        return f"paid {dollars_of(result.payout)}"
    return "still trading" if last.outcome == OPEN else "passed"
