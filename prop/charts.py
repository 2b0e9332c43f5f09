"""The equity chart of a challenge: equity, balance, and the lines that decide.

Pure, like `trading.charts`, whose drawing it uses. Money is Decimal dollars.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from trading.charts import (
    HEIGHT,
    MONEY_STEPS,
    WIDTH,
    Chart,
    Label,
    Point,
    Scale,
    away_from_last,
    axis_money,
    draw_paths,
    grid_step,
    grid_values,
    known_runs,
    percent_place,
    table_rows,
    time_labels,
)
from trading.formats import whole_money_text

# A line farther away than this many heights of the equity's own range is named, not drawn.
FAR_HEIGHTS = Decimal(12)


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A height that decides: `kind` is floor, day or target; `since` where it begins to hold."""

    kind: str
    words: str
    value: Decimal
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A rule line with its path and its place in percent."""

    kind: str
    words: str
    path: str
    y: str
    axis: str


@dataclass(frozen=True)
class ChallengeChart:
    """A chart with its rule lines; `zone` is the area below the total-loss floor."""

    chart: Chart
    balance: str = ""
    lines: tuple[DrawnLine, ...] = ()
    zone: str = ""


def draw_challenge_chart(
    equity: Sequence[Point],
    balance: Sequence[Point],
    *,
    start: Decimal,
    lines: Sequence[RuleLine],
    zone: ZoneInfo,
) -> ChallengeChart:
    """Equity as a line, balance as dashed steps, start and rule lines; empty below two points."""
    values = [point.value for point in equity if point.value is not None]
    if len(values) < 2:
        return ChallengeChart(Chart(title="Equity: the first minutes are still being recorded"))
    low, high = min([*values, start]), max([*values, start])
    reach = max(high - low, start * Decimal("0.01")) * FAR_HEIGHTS
    drawn = [line for line in lines if low - reach <= line.value <= high + reach]
    low, high = min([low, *(one.value for one in drawn)]), max([high, *(o.value for o in drawn)])
    room = max((high - low) * Decimal("0.08"), start * Decimal("0.002"), Decimal("0.01"))
    low, high = low - room, high + room
    scale = Scale(low, high, equity[0].at, equity[-1].at)
    line, area = draw_paths(known_runs(equity), scale, is_stepped=False)
    step = grid_step(low, high, MONEY_STEPS)
    taken = {start, *(one.value for one in drawn)}
    grid = [value for value in grid_values(low, high, step) if value not in taken]
    last = Label(percent_place(scale.y(values[-1])), axis_money(values[-1], step))
    chart = Chart(
        title=_title(values[-1], start, lines),
        line=line,
        area=area,
        grid=tuple(f"M0 {scale.y(value):.1f}H{WIDTH}" for value in grid),
        y_labels=away_from_last(
            (Label(percent_place(scale.y(value)), axis_money(value, step)) for value in grid), last
        ),
        x_labels=time_labels(equity[0].at, equity[-1].at, zone),
        last=last,
        start_line=Label(f"{scale.y(start):.1f}", f"Start {axis_money(start, step)}"),
        rows=table_rows(equity, lambda value: f"${value:,.2f}"),
        lowest=min(values),
        highest=max(values),
        points=tuple(equity),
    )
    return ChallengeChart(
        chart,
        balance=draw_paths(known_runs(balance), scale, is_stepped=True)[0],
        lines=tuple(_drawn(one, scale, step) for one in drawn),
        zone=_zone(drawn, scale),
    )


def _title(equity: Decimal, start: Decimal, lines: Sequence[RuleLine]) -> str:
    percent = (equity - start) / start * 100
    told = [f"{line.words.lower()} {whole_money_text(line.value)}" for line in lines]
    change = f"{'up' if percent >= 0 else 'down'} {abs(percent):.1f}%"
    return "; ".join([f"Equity {whole_money_text(equity)}, {change}", *told])


def _drawn(line: RuleLine, scale: Scale, step: Decimal) -> DrawnLine:
    y = scale.y(line.value)
    x = scale.x(line.since) if line.since is not None else Decimal(0)
    return DrawnLine(
        kind=line.kind,
        words=line.words,
        path=f"M{min(x, Decimal(WIDTH - 60)):.0f} {y:.1f}H{WIDTH}",
        y=percent_place(y),
        axis=axis_money(line.value, step),
    )


def _zone(lines: Sequence[RuleLine], scale: Scale) -> str:
    floor = next((line.value for line in lines if line.kind == "floor"), None)
    return "" if floor is None else f"M0 {scale.y(floor):.1f}H{WIDTH}V{HEIGHT}H0Z"
