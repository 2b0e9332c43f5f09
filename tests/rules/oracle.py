"""A slow and obvious second set of rules in Decimal, written from prop-backoffice 6 and 8.

It shares no code with `prop.rules`: dictionaries of Decimals, percents divided out with many
digits, one rule after the other. Random histories must give the same verdicts here and there.
"""

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

DIGITS = 60
PLACES = Decimal("0.000001")
DAY_SECONDS = 86_400
HUNDRED = Decimal(100)

Phase = dict[str, Any]
Marks = dict[int, tuple[Decimal | None, int]]


def six(number: Decimal) -> Decimal:
    return number.quantize(PLACES, ROUND_HALF_UP)


def equity_of(phase: Phase, marks: Marks) -> Decimal:
    """Cash and holdings at their marks, each to a millionth; without a mark at cost."""
    total = phase["cash"]
    for token, (quantity, cost) in phase["holdings"].items():
        mark = marks[token][0]
        total += cost if mark is None else six(quantity * mark)
    return Decimal(total)


def balance_of(phase: Phase) -> Decimal:
    return Decimal(phase["cash"] + sum(cost for _, cost in phase["holdings"].values()))


def is_stale(phase: Phase, marks: Marks, at: int, stale_after: int) -> bool:
    return any(
        marks[token][0] is None or marks[token][1] < at - stale_after for token in phase["holdings"]
    )


def largest_cost(phase: Phase, group_of: Any) -> Decimal:
    """The most that the shares of one market (or event) have cost."""
    sums: dict[int, Decimal] = {}
    for token, (_, cost) in phase["holdings"].items():
        sums[group_of(token)] = sums.get(group_of(token), Decimal(0)) + cost
    return max(sums.values(), default=Decimal(0))


def percents(phase: Phase, equity: Decimal) -> dict[str, Decimal]:
    """Unrounded profit, total loss, the day's loss and profit."""
    terms = phase["terms"]
    start = terms["initial_balance"]
    day, basis = {
        "equity": (phase["day_equity"], phase["day_equity"]),
        "balance": (phase["day_balance"], phase["day_balance"]),
        "higher": (max(phase["day_equity"], phase["day_balance"]),) * 2,
        "initial": (phase["day_equity"], start),
    }[terms["daily_basis"]]
    if basis <= 0:
        daily_loss, daily_profit = HUNDRED, Decimal(0)
    else:
        daily_loss = max(Decimal(0), (day - equity) / basis * HUNDRED)
        daily_profit = max(Decimal(0), (equity - day) / basis * HUNDRED)
    top = {
        "static": start,
        "trailing": max(phase["peak"], equity),
        "trailing_eod": phase["peak"],
        "trailing_locked": min(
            max(phase["peak"], equity), start + start * terms["max_total_loss_pct"] / HUNDRED
        ),
    }[terms["drawdown_mode"]]
    return {
        "profit": (equity - start) / start * HUNDRED,
        "total_loss": max(Decimal(0), (top - equity) / start * HUNDRED),
        "daily_loss": daily_loss,
        "daily_profit": daily_profit,
    }


def missing_for_a_pass(phase: Phase, equity: Decimal) -> list[str]:
    terms = phase["terms"]
    start = terms["initial_balance"]
    results = [*phase["day_results"], equity - phase["day_equity"]]
    missing = []
    if phase["trading_days"] < terms["min_trading_days"]:
        missing.append("min_trading_days")
    if terms["min_profitable_days"]:
        good = [
            result
            for result in results
            if result > 0 and result / start * HUNDRED >= terms["profitable_day_pct"]
        ]
        if len(good) < terms["min_profitable_days"]:
            missing.append("min_profitable_days")
    profit = equity - start
    if terms["consistency_pct"] > 0 and profit > 0:
        best = max(Decimal(0), *results)
        if best / profit * HUNDRED > terms["consistency_pct"]:
            missing.append("consistency_pct")
    return missing


def judge(phase: Phase, marks: Marks, at: int, stale_after: int, groups: Any) -> Phase:
    """{"state", "rules": what fired in order, "warned": loss rules near their limit}."""
    with localcontext(prec=DIGITS):
        return _judge(phase, marks, at, stale_after, groups)


def _judge(phase: Phase, marks: Marks, at: int, stale_after: int, groups: Any) -> Phase:
    terms = phase["terms"]
    equity = equity_of(phase, marks)
    stale = is_stale(phase, marks, at, stale_after)
    measured = percents(phase, equity)
    by_equity = []
    for rule, name in (
        ("max_total_loss_pct", "total_loss"),
        ("max_daily_loss_pct", "daily_loss"),
        ("max_daily_profit_pct", "daily_profit"),
    ):
        if terms[rule] > 0 and measured[name] >= terms[rule]:
            by_equity.append(rule)
    by_count = []
    if 0 < terms["max_positions"] < len(phase["holdings"]):
        by_count.append("max_positions")
    for rule, group_of in zip(
        ("max_exposure_market_pct", "max_exposure_event_pct"), groups, strict=True
    ):
        share = largest_cost(phase, group_of) / terms["initial_balance"] * HUNDRED
        if terms[rule] > 0 and share > terms[rule]:
            by_count.append(rule)
    failed = by_count if stale else by_equity + by_count
    if failed:
        return {"state": "failed", "rules": failed, "warned": []}
    missing = missing_for_a_pass(phase, equity)
    target = terms["profit_target_pct"]
    reached = target > 0 and measured["profit"] >= target and not missing
    if reached and not stale:
        return {"state": "passed", "rules": [], "warned": []}
    end = _end(phase, at, missing)
    if end["state"] != "active":
        # Old prices pass nobody, and fail nobody whom fresh ones might have passed or failed.
        rests_on_prices = end["rules"][:1] in (["min_profitable_days"], ["consistency_pct"])
        if not stale:
            return {**end, "warned": []}
        if end["state"] == "failed" and not (by_equity or reached or rests_on_prices):
            return {**end, "warned": []}
    return {"state": "active", "rules": [], "warned": [] if stale else _near(terms, measured)}


def _end(phase: Phase, at: int, missing: list[str]) -> Phase:
    """Trading days, inactivity, duration: what they make of the phase."""
    terms = phase["terms"]
    is_funded = terms["phase_type"] == 1
    late = []
    if 0 < terms["max_trading_days"] < phase["trading_days"]:
        late.append("max_trading_days")
    active_at = max(phase["start_time"], phase["last_fill_at"])
    if terms["max_inactive_days"] and at - active_at >= terms["max_inactive_days"] * DAY_SECONDS:
        late.append("max_inactive_days")
    is_over = (
        terms["duration_days"] > 0
        and at - phase["start_time"] >= terms["duration_days"] * DAY_SECONDS
    )
    if is_funded:
        if late == ["max_inactive_days"]:
            return {"state": "failed", "rules": late}
        return {"state": "ended" if late or is_over else "active", "rules": []}
    if is_over and terms["profit_target_pct"] == 0:
        late += missing
        if not late:
            return {"state": "passed", "rules": []}
    elif is_over:
        late.append("duration_days")
    return {"state": "failed" if late else "active", "rules": late}


def _near(terms: Phase, measured: Phase) -> list[str]:
    near = []
    for rule, name in (("max_total_loss_pct", "total_loss"), ("max_daily_loss_pct", "daily_loss")):
        if not terms[rule] or not terms["warning_pct"]:
            continue
        level = terms[rule] * terms["warning_pct"] / HUNDRED
        if measured[name] >= level:
            near.append(rule)
    return near


def start_day(phase: Phase, equity: Decimal) -> None:
    """The first reading of a new local day."""
    phase["day_results"].append(equity - phase["day_equity"])
    phase["day_equity"], phase["day_balance"] = equity, balance_of(phase)
    if phase["terms"]["drawdown_mode"] == "trailing_eod":
        phase["peak"] = max(phase["peak"], equity)


def see(phase: Phase, equity: Decimal) -> None:
    """A reading with fresh prices may be the highest so far."""
    if phase["terms"]["drawdown_mode"] in ("trailing", "trailing_locked"):
        phase["peak"] = max(phase["peak"], equity)
