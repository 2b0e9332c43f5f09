"""Charts drawn by the server as inline SVG: paths and labels, ready for the template.

Pure. A chart is a box of 1000 by 100 units stretched over its place; text stands outside the SVG,
so that it never distorts. Prices are drawn as steps, as they hold until they change; equity as
straight lines between its hours. `Chart.rows` is the same as a table.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from trading.formats import chance_text, round_to, whole_money_text

WIDTH, HEIGHT = 1000, 100
TOP, BOTTOM = Decimal(8), Decimal(92)
ROWS_MAX = 60
GRID_STEPS = tuple(
    Decimal(text) for text in ("0.005", "0.01", "0.02", "0.05", "0.1", "0.2", "0.25", "0.5")
)
MONEY_STEPS = tuple(
    Decimal(digit) * 10**power for power in range(8) for digit in ("0.01", "0.02", "0.05", "0.1")
)


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a moment; None where nothing is known (a gap)."""

    at: datetime
    value: Decimal | None


@dataclass(frozen=True, slots=True)
class Mark:
    """An own trade: `is_sale` turns the triangle, `words` are its tooltip."""

    at: datetime
    value: Decimal
    words: str
    is_sale: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """A text beside the box. `at` is a percentage of its width or height."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class PlacedMark:
    """A mark with its place in percent."""

    x: str
    y: str
    words: str
    is_sale: bool


@dataclass(frozen=True)
class Chart:
    """Everything the template writes. Empty `line`: not enough is known to draw."""

    title: str
    line: str = ""
    area: str = ""
    grid: tuple[str, ...] = ()
    y_labels: tuple[Label, ...] = ()
    x_labels: tuple[Label, ...] = ()
    last: Label | None = None
    start_line: Label | None = None
    marks: tuple[PlacedMark, ...] = ()
    rows: tuple[tuple[datetime, str], ...] = ()
    lowest: Decimal | None = None
    highest: Decimal | None = None
    points: tuple[Point, ...] = field(default=(), repr=False)


def percent_place(part: Decimal) -> str:
    return f"{part:.1f}%"


class Scale:
    """Values to heights and moments to widths."""

    def __init__(self, low: Decimal, high: Decimal, start: datetime, end: datetime) -> None:
        self.low, self.high, self.start = low, high, start
        self.seconds = Decimal(max(1, int((end - start).total_seconds())))

    def y(self, value: Decimal) -> Decimal:
        share = (value - self.low) / (self.high - self.low)
        return BOTTOM - share * (BOTTOM - TOP)

    def x(self, at: datetime) -> Decimal:
        share = Decimal(int((at - self.start).total_seconds())) / self.seconds
        return max(Decimal(0), min(Decimal(1), share)) * WIDTH


def known_runs(points: Sequence[Point]) -> list[list[Point]]:
    """Runs of known values: a gap starts a new run."""
    runs: list[list[Point]] = []
    is_open = False
    for point in points:
        if point.value is None:
            is_open = False
            continue
        if not is_open:
            runs.append([])
            is_open = True
        runs[-1].append(point)
    return runs


def draw_paths(runs: Iterable[list[Point]], scale: Scale, *, is_stepped: bool) -> tuple[str, str]:
    """The line's and the area's path."""
    lines, areas = [], []
    for run in runs:
        assert run[0].value is not None
        first_x = scale.x(run[0].at)
        last_y = scale.y(run[0].value)
        path = [f"M{first_x:.0f} {last_y:.1f}"]
        x = first_x
        for point in run[1:]:
            assert point.value is not None
            x, y = scale.x(point.at), scale.y(point.value)
            if not is_stepped:
                path.append(f"L{x:.0f} {y:.1f}")
            elif y != last_y:
                path.append(f"H{x:.0f}V{y:.1f}")
            last_y = y
        if is_stepped:
            path.append(f"H{x:.0f}")
        line = "".join(path)
        lines.append(line)
        areas.append(f"{line}V{HEIGHT}H{first_x:.0f}Z")
    return "".join(lines), "".join(areas)


def grid_step(low: Decimal, high: Decimal, steps: Sequence[Decimal]) -> Decimal:
    """The smallest step that needs at most four lines."""
    return next((step for step in steps if (high - low) / step <= 4), steps[-1])


def grid_values(low: Decimal, high: Decimal, step: Decimal) -> list[Decimal]:
    first = (low / step).to_integral_value(rounding="ROUND_CEILING") * step
    count = int((high - first) / step) + 1 if high >= first else 0
    return [first + step * index for index in range(count)]


def time_labels(start: datetime, end: datetime, zone: ZoneInfo) -> tuple[Label, ...]:
    """Four moments along the bottom, worded after the span."""
    span = end - start
    labels = []
    for fraction in (0, 26, 52, 78):
        local = (start + span * fraction / 100).astimezone(zone)
        if span <= timedelta(days=2):
            text = f"{local:%H:%M}"
        elif span <= timedelta(days=300):
            text = f"{local.day} {local:%b}"
        else:
            text = f"{local:%b %Y}"
        labels.append(Label(f"{fraction}%", text))
    return tuple(labels)


def table_rows(
    points: Sequence[Point], show: Callable[[Decimal], str]
) -> tuple[tuple[datetime, str], ...]:
    known = [point for point in points if point.value is not None]
    stride = max(1, -(-len(known) // ROWS_MAX))
    picked = known[::-1][::stride]
    return tuple((point.at, show(point.value)) for point in picked if point.value is not None)


def away_from_last(labels: Iterable[Label], last: Label) -> tuple[Label, ...]:
    """Labels that the tag of the last value would cover are left out."""
    place = Decimal(last.at.rstrip("%"))
    return tuple(label for label in labels if abs(Decimal(label.at.rstrip("%")) - place) > 9)


def draw_price_chart(
    points: Sequence[Point], *, name: str, zone: ZoneInfo, marks: Sequence[Mark] = ()
) -> Chart:
    """The chance of an outcome as a step line, zoomed to its range, with own trades."""
    values = [point.value for point in points if point.value is not None]
    if len(values) < 2:
        return Chart(title=f"Chance of {name}: no history yet")
    low, high = min(values), max(values)
    drawn_marks = [mark for mark in marks if points[0].at <= mark.at <= points[-1].at]
    bounds = [*values, *(mark.value for mark in drawn_marks)]
    room = max((max(bounds) - min(bounds)) * Decimal("0.06"), Decimal("0.005"))
    bottom = max(Decimal(0), min(bounds) - room)
    top = min(Decimal(1), max(bounds) + room)
    scale = Scale(bottom, top, points[0].at, points[-1].at)
    line, area = draw_paths(known_runs(points), scale, is_stepped=True)
    grid = grid_values(bottom, top, grid_step(bottom, top, GRID_STEPS))
    change = round_to((values[-1] - values[0]) * 100, Decimal(1))
    last = Label(percent_place(scale.y(values[-1])), chance_text(values[-1]))
    return Chart(
        title=(
            f"Chance of {name}: {chance_text(values[-1])}, "
            f"{'up' if change >= 0 else 'down'} {abs(change)} points; "
            f"low {chance_text(low)}, high {chance_text(high)}"
        ),
        line=line,
        area=area,
        grid=tuple(f"M0 {scale.y(value):.1f}H{WIDTH}" for value in grid),
        y_labels=away_from_last(
            (Label(percent_place(scale.y(value)), _grid_chance(value)) for value in grid), last
        ),
        x_labels=time_labels(points[0].at, points[-1].at, zone),
        last=last,
        marks=tuple(
            PlacedMark(
                percent_place(scale.x(mark.at) / 10),
                percent_place(scale.y(mark.value)),
                mark.words,
                mark.is_sale,
            )
            for mark in drawn_marks
        ),
        rows=table_rows(points, chance_text),
        lowest=low,
        highest=high,
        points=tuple(points),
    )


def _grid_chance(value: Decimal) -> str:
    return f"{(value * 100).normalize():f}%"


def draw_equity_chart(points: Sequence[Point], *, baseline: Decimal, zone: ZoneInfo) -> Chart:
    """Equity over time with the line it started from."""
    values = [point.value for point in points if point.value is not None]
    if len(values) < 2:
        return Chart(title="Equity: the first hours are still being recorded")
    low, high = min([*values, baseline]), max([*values, baseline])
    room = max((high - low) * Decimal("0.08"), baseline * Decimal("0.005"), Decimal("0.01"))
    low, high = low - room, high + room
    scale = Scale(low, high, points[0].at, points[-1].at)
    line, area = draw_paths(known_runs(points), scale, is_stepped=False)
    step = grid_step(low, high, MONEY_STEPS)
    grid = [value for value in grid_values(low, high, step) if value != baseline]
    last = Label(percent_place(scale.y(values[-1])), axis_money(values[-1], step))
    ratio = (values[-1] - baseline) / baseline * 100 if baseline else Decimal(0)
    return Chart(
        title=(
            f"Equity {whole_money_text(values[-1])}, {'up' if ratio >= 0 else 'down'} "
            f"{abs(round_to(ratio, Decimal('0.1')))}% since the start at "
            f"{whole_money_text(baseline)}"
        ),
        line=line,
        area=area,
        grid=tuple(f"M0 {scale.y(value):.1f}H{WIDTH}" for value in grid),
        y_labels=away_from_last(
            (Label(percent_place(scale.y(value)), axis_money(value, step)) for value in grid), last
        ),
        x_labels=time_labels(points[0].at, points[-1].at, zone),
        last=last,
        start_line=Label(f"{scale.y(baseline):.1f}", f"Start {axis_money(baseline, step)}"),
        rows=table_rows(points, lambda value: f"${value:,.2f}"),
        lowest=min(values),
        highest=max(values),
        points=tuple(points),
    )


def axis_money(value: Decimal, step: Decimal) -> str:
    return f"{value:,.2f}" if step < 1 else f"{round_to(value, Decimal(1)):,f}"


def draw_spark(values: Sequence[Decimal]) -> str:
    """A sparkline's path in a box of 1000 by 100; "" for fewer than two values."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or Decimal(1)
    path: list[str] = []
    former = None
    for index, value in enumerate(values):
        x = index * WIDTH // len(values)
        y = Decimal(50) if high == low else HEIGHT - (value - low) / span * HEIGHT
        if former is None:
            path.append(f"M{x} {y:.1f}")
        elif y != former:
            path.append(f"H{x}V{y:.1f}")
        former = y
    path.append(f"H{WIDTH}")
    return "".join(path)
