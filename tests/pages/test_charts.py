"""Charts drawn by the server: steps, gaps, labels, table (ui.md, "Challenge page and charts")."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from trading.charts import Mark, Point, draw_equity_chart, draw_price_chart, draw_spark

START = datetime(2027, 1, 5, 10, 0, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Vienna")


def series(*values: str | None) -> list[Point]:
    return [
        Point(START + timedelta(minutes=10 * index), None if value is None else Decimal(value))
        for index, value in enumerate(values)
    ]


def test_a_price_holds_until_it_changes() -> None:
    chart = draw_price_chart(series("0.40", "0.40", "0.60", "0.60"), name="Yes", zone=ZONE)
    assert chart.line.count("V") == 1
    assert "L" not in chart.line
    assert chart.line.startswith("M0 ")
    assert chart.line.endswith("H1000")


def test_a_gap_stays_a_gap() -> None:
    chart = draw_price_chart(series("0.40", "0.41", None, "0.60", "0.61"), name="Yes", zone=ZONE)
    assert chart.line.count("M") == 2


def test_the_title_says_what_the_line_shows() -> None:
    chart = draw_price_chart(series("0.38", "0.69", "0.62"), name="25 bp cut", zone=ZONE)
    assert chart.title == "Chance of 25 bp cut: 62%, up 24 points; low 38%, high 69%"
    assert (chart.lowest, chart.highest) == (Decimal("0.38"), Decimal("0.69"))


def test_times_along_the_bottom_are_in_the_persons_zone() -> None:
    chart = draw_price_chart(series("0.38", "0.62"), name="Yes", zone=ZONE)
    assert chart.x_labels[0].text == "11:00"


def test_own_trades_stand_at_their_price_and_widen_the_range() -> None:
    mark = Mark(START + timedelta(minutes=10), Decimal("0.90"), "bought 5 Yes at 90¢")
    chart = draw_price_chart(series("0.38", "0.5", "0.62"), name="Yes", zone=ZONE, marks=[mark])
    assert chart.marks[0].x == "50.0%"
    assert Decimal(chart.marks[0].y.rstrip("%")) >= 8


def test_the_table_lists_the_newest_first() -> None:
    chart = draw_price_chart(series("0.38", "0.62"), name="Yes", zone=ZONE)
    assert [text for _, text in chart.rows] == ["62%", "38%"]


def test_one_point_is_no_chart() -> None:
    chart = draw_price_chart(series("0.38"), name="Yes", zone=ZONE)
    assert chart.line == ""
    assert chart.title == "Chance of Yes: no history yet"


def test_equity_is_drawn_against_its_start() -> None:
    chart = draw_equity_chart(series("1000", "1024.10"), baseline=Decimal(1000), zone=ZONE)
    assert chart.title == "Equity $1,024, up 2.4% since the start at $1,000"
    assert chart.start_line is not None
    assert chart.start_line.text == "Start 1,000"
    assert "L1000" in chart.line


def test_equity_that_never_moved_has_an_axis_of_dollars() -> None:
    chart = draw_equity_chart(series("1000", "1000"), baseline=Decimal(1000), zone=ZONE)
    assert chart.y_labels
    assert all("." not in label.text for label in chart.y_labels)


def test_a_sparkline_ends_at_the_edge() -> None:
    path = draw_spark([Decimal("0.4"), Decimal("0.5"), Decimal("0.45")])
    assert path.startswith("M0 100.0")
    assert path.endswith("H1000")
    assert draw_spark([Decimal("0.4")]) == ""
