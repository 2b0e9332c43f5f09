"""A report as text for a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any


def report_text(report: Mapping[str, Any]) -> str:
    """The whole report, a page of plain text."""
    return "\n".join(_lines(report)) + "\n"


def rate_words(rate: Mapping[str, Any]) -> str:
    """A rate with its interval: "24.60 % (23.76 to 25.46), 2,460 of 10,000"."""
    interval = f"{rate['low']} to {rate['high']}"
    return f"{rate['percent']} % ({interval}), {rate['count']:,} of {rate['of']:,}"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    money, overall = report["money"], report["overall"]
    yield (
        f"{report['traders']:,} traders, {report['days']} days, {report['paths']} prices of "
        f"{report['markets']:,} markets, seed {report['seed']}. Intervals: 95 %."
    )
    if report["paths"] == "recorded":
        yield "The same recorded markets are played again and again, so their habits weigh more."
    yield ""
    yield f"Pass every evaluation phase: {rate_words(overall['passed'])}"
    yield f"Days to pass: {_days_words(overall['days'])}"
    if overall["open"]:
        yield f"Still trading at the end: {overall['open']:,}"
    for phase in report["phases"]:
        yield from _phase_lines(phase)
    yield ""
    yield "Why traders fail (first rule)"
    for row in report["failures"]:
        yield f"  {row['percent']:>6} %  {row['phase']}: {row['words']} ({row['count']:,})"
    yield ""
    yield f"Money per sale, in {money['currency']}"
    payout, margin, even = money["payout"], money["margin"], money["break_even"]
    yield f"  Fee               {money['fee']}"
    yield f"  Expected payout   {payout['mean']} ({payout['low']} to {payout['high']})"
    yield f"  Left for the firm {margin['mean']} ({margin['low']} to {margin['high']})"
    yield f"  Break-even fee    {even['fee']} ({even['low']} to {even['high']})"
    yield f"  Paid traders      {rate_words(money['paid'])}"
    yield f"  A payout          median {money['paid_median']}, largest {money['paid_largest']}"
    yield (
        f"  100 sales leave   {money['per_hundred']['left']}; worst 1 in 20: "
        + (money["per_hundred"]["worst"])
    )
    yield ""
    yield "By behaviour       passed            payout      orders  fees      mostly fails by"
    for row in report["behaviours"]:
        yield (
            f"  {row['title']:<16} {row['passed']['percent']:>6} % of {row['passed']['of']:<6} "
            f"{row['payout']:>10} {row['orders']:>8} {row['fees']:>9}  {row['reason']}"
        )
    activity = report["activity"]
    yield ""
    yield (
        f"{activity['orders']:,} orders filled by the engine, {activity['refused']:,} refused; "
        f"{activity['fees']} trading fees on {activity['volume']} traded."
    )


def _days_words(days: Mapping[str, Any]) -> str:
    if days["median"] is None:
        return "nobody passed"
    return f"median {days['median']}, fastest tenth {days['p10']}, slowest tenth {days['p90']}"


def _phase_lines(phase: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"{phase['phase_index']}. {phase['name']}: {phase['entered']:,} entered"
    yield f"  {'Paid' if phase['is_funded'] else 'Passed'}: {rate_words(phase['passed'])}"
    yield f"  Days: {_days_words(phase['days'])}"
    yield f"  Failed {phase['failed']:,}, warned {phase['warned']:,}, open {phase['open']:,}"
