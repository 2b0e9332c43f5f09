"""Charts of a report as inline SVG: numbers and paths, ready for the template.

What a colour says is also said by a label or a dash. Coordinates are whole units of each chart's
box. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from polysim.kernel.money import divide_up

# Pass rates: names to the left, bars between LEFT and RIGHT, words at the right edge.
LEFT, RIGHT = 116, 316
ROW_HEIGHT, BAR_HEIGHT = 36, 12
MONEY_WIDTH = 300
SAMPLES_WIDTH, SAMPLES_HEIGHT, MARGIN = 640, 200, 12
# Room for the words of the grid at the right edge.
WORDS_ROOM = 40
# How a line ends: class, dash and words; the dash tells it without colour.
FAILED_LINE, GOOD_LINE, OPEN_LINE = "fail", "pass", "open"


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar with its interval; `y` is its upper edge, `interval` a path, `range` its words."""

    name: str
    words: str
    range: str
    y: int
    middle: int
    width: int
    interval: str


@dataclass(frozen=True, slots=True)
class BarChart:
    """Bars, grid lines as (x, words), height, and what a screen reader says."""

    bars: tuple[Bar, ...]
    grid: tuple[tuple[int, str], ...]
    height: int
    bottom: int
    title: str


@dataclass(frozen=True, slots=True)
class SampleLine:
    """The equity of one trader, as a percent of each phase's start."""

    kind: str
    path: str
    words: str


@dataclass(frozen=True, slots=True)
class SampleChart:
    """Lines of several traders; `grid` as (y, words), `days` as (x, words)."""

    lines: tuple[SampleLine, ...]
    grid: tuple[tuple[int, str], ...]
    days: tuple[tuple[int, str], ...]
    title: str


def draw_pass_rates(report: Mapping[str, Any]) -> BarChart:
    """Pass rate of each phase and of the whole evaluation, with 95 % intervals."""
    rows = [("Whole evaluation", report["overall"]["passed"])]
    rows += [
        (f"{'Paid in' if phase['is_funded'] else 'Pass'} {phase['name']}", phase["passed"])
        for phase in report["phases"]
    ]
    top = max(Decimal(rate["high"]) if rate["of"] else Decimal(0) for _, rate in rows)
    step = next(one for one in (2, 5, 10, 25) if top <= 4 * one)
    # Rounded up to a whole step; Decimal's own // would cut towards zero.
    most = Decimal(step * max(1, divide_up(int(top * 100), 100 * step)))

    def x(percent: str | int) -> int:
        return LEFT + int((RIGHT - LEFT) * min(Decimal(percent), most) / most)

    bars = []
    for number, (name, rate) in enumerate(rows):
        y = number * ROW_HEIGHT + 6
        middle = y + BAR_HEIGHT // 2
        low, high = x(rate["low"]), x(rate["high"])
        if not rate["of"]:
            bars.append(Bar(name, "–", "nobody yet", y, middle, 0, ""))
            continue
        words, known = f"{rate['percent']} %", f"{rate['low']} to {rate['high']}"
        interval = f"M{low} {middle}H{high}M{low} {middle - 4}v8M{high} {middle - 4}v8"
        bars.append(Bar(name, words, known, y, middle, x(rate["percent"]) - LEFT, interval))
    marks = range(0, int(most) + 1, step)
    told = "; ".join(f"{bar.name} {bar.words} ({bar.range})" for bar in bars)
    bottom = len(rows) * ROW_HEIGHT
    return BarChart(
        tuple(bars),
        tuple((x(mark), f"{mark}%") for mark in marks),
        bottom + 16,
        bottom,
        f"Pass rates with 95 % intervals. {told}",
    )


def draw_money(report: Mapping[str, Any]) -> BarChart:
    """Fees and expected payouts of a sale on one scale, payouts with their interval."""
    money = report["money"]
    fee, payout = Decimal(money["fee"]), money["payout"]
    most = max(fee, Decimal(payout["high"]), Decimal(1))

    def x(amount: str | Decimal) -> int:
        return int(MONEY_WIDTH * max(Decimal(0), Decimal(amount)) / most)

    low, high = x(payout["low"]), x(payout["high"])
    currency = money["currency"]
    bars = (
        Bar("Fee", f"{fee:,.2f} {currency}", "", 17, 23, x(fee), ""),
        Bar(
            "Expected payout",
            f"{Decimal(payout['mean']):,.2f} {currency}",
            f"{payout['low']} to {payout['high']}",
            59,
            65,
            x(payout["mean"]),
            f"M{low} 65H{high}M{low} 61v8M{high} 61v8",
        ),
    )
    title = (
        f"Per sale: fee {money['fee']}, expected payout {payout['mean']}, "
        f"interval {payout['low']} to {payout['high']} {currency}"
    )
    return BarChart(bars, (), 76, 72, title)


def draw_samples(report: Mapping[str, Any]) -> SampleChart | None:
    """Equity by day of the first traders; a new phase starts at 100 % again."""
    samples = [sample for sample in report["samples"] if len(sample["points"]) > 1]
    if not samples:
        return None
    series = [_in_percent(sample["points"]) for sample in samples]
    values = [value for line in series for _, value in line]
    low, high = min(values, default=Decimal(90)), max(values, default=Decimal(110))
    low, high = min(low, Decimal(95)), max(high, Decimal(105))
    days = max(len(line) for line in series) - 1

    def x(day: int) -> int:
        return MARGIN + (SAMPLES_WIDTH - MARGIN - WORDS_ROOM) * day // max(1, days)

    def y(value: Decimal) -> int:
        room = SAMPLES_HEIGHT - 2 * MARGIN
        return SAMPLES_HEIGHT - MARGIN - int(room * (value - low) / (high - low))

    lines = tuple(
        SampleLine(
            kind=_kind_of(sample["outcome"]),
            path=_path_of(line, x, y),
            words=f"{sample['behaviour']}, {sample['outcome']}",
        )
        for sample, line in zip(samples, series, strict=True)
    )
    marks = sorted({low, Decimal(100), high})
    every = max(1, days // 5)
    return SampleChart(
        lines=lines,
        grid=tuple((y(mark), f"{mark:.0f}%") for mark in marks),
        days=tuple((x(day), f"day {day}") for day in range(0, days + 1, every)),
        title=f"Equity of {len(lines)} traders by day: " + "; ".join(line.words for line in lines),
    )


def _in_percent(points: Sequence[Sequence[Any]]) -> list[tuple[int, Decimal]]:
    """(phase, percent of that phase's first equity) day by day."""
    starts: dict[int, Decimal] = {}
    line = []
    for phase, text in points:
        equity = Decimal(text)
        start = starts.setdefault(phase, equity)
        line.append((phase, equity * 100 / start))
    return line


def _path_of(line: Sequence[tuple[int, Decimal]], x: Any, y: Any) -> str:
    """A new phase starts a new piece of the line."""
    pieces, before = [], None
    for day, (phase, value) in enumerate(line):
        letter = "L" if phase == before else "M"
        pieces.append(f"{letter}{x(day)} {y(value)}")
        before = phase
    return "".join(pieces)


def _kind_of(outcome: str) -> str:
    if outcome.startswith("failed"):
        return FAILED_LINE
    return OPEN_LINE if outcome == "still trading" else GOOD_LINE
