"""Recorded prices: the exchange's own history, and recordings of the venue."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from polysim.kernel.money import SCALE
from prop.selectors.price_recordings import recorded_history, recorded_quotes
from prop.simulator import demo_world
from tests.support.exchange import make_market
from trading.markets.models import MarketResolution, MinuteCandle

START = datetime(2026, 10, 5, 8, 0, tzinfo=UTC)


def write_recordings(folder: Path, rows: list[str], markets: list[dict[str, Any]]) -> None:
    with gzip.open(folder / "quotes_us_test.csv.gz", "wt") as lines:
        lines.write("ts,slug,bid,ask,mid\n" + "\n".join(rows))
    text = "\n".join(json.dumps(market) for market in markets)
    (folder / "quotes_us_markets.jsonl").write_text(text)


def test_quotes_are_read_by_the_hour(tmp_path: Path) -> None:
    rows = []
    for hour in range(14):
        rows.append(f"2026-07-11T{hour:02d}:05:00Z,race,0.40,0.42,0.41")
        rows.append(f"2026-07-11T{hour:02d}:55:00Z,race,0.5{hour % 10},0.6{hour % 10},0.5")
    rows[-1] = "2026-07-11T13:59:00Z,race,0.10,0.90,0.5"
    rows.append("2026-07-11T03:00:00Z,short,0.1,0.2,0.15")
    known = {"slug": "race", "category": "sports", "y": 1, "label_source": "api"}
    write_recordings(tmp_path, rows, [known])
    (recording,) = recorded_quotes(tmp_path)
    assert (recording.name, len(recording.quotes)) == ("race", 13)
    assert recording.quotes[3] == (530_000, 630_000)
    assert (recording.payout, recording.fee_rate) == (SCALE, 30_000)


def test_a_result_that_was_only_guessed_is_not_known(tmp_path: Path) -> None:
    rows = [f"2026-07-11T{hour:02d}:00:00Z,race,0.40,0.42,0.41" for hour in range(12)]
    guessed = {"slug": "race", "category": "technology", "y": 1, "label_source": "convergence"}
    write_recordings(tmp_path, rows, [guessed])
    (recording,) = recorded_quotes(tmp_path)
    assert (recording.payout, recording.fee_rate) == (None, 40_000)


def test_without_recordings_there_are_none(tmp_path: Path) -> None:
    assert recorded_quotes(tmp_path / "absent") == []


@pytest.mark.django_db
def test_own_history_is_quoted_a_tick_around_its_price() -> None:
    market = make_market()
    outcome = market.outcomes.get(index=0)
    for hour in range(14):
        if hour == 7:
            continue
        price = Decimal("0.60") + Decimal(hour) / 100
        MinuteCandle.objects.create(
            outcome=outcome,
            minute_at=START + timedelta(hours=hour, minutes=30),
            **dict.fromkeys(("open", "high", "low", "close"), price),
        )
    until = START + timedelta(days=2)
    (recording,) = recorded_history(until=until)
    assert len(recording.quotes) == 14
    assert recording.quotes[0] == (590_000, 610_000)
    # A quiet hour keeps the price before it.
    assert recording.quotes[7] == recording.quotes[6] == (650_000, 670_000)
    assert recording.payout is None
    MarketResolution.objects.create(
        market=market, version=1, payouts=["1", "0"], source="venue", resolved_at=START
    )
    assert recorded_history(until=until)[0].payout == SCALE
    assert recorded_history(until=START) == []


def test_demo_prices_need_no_recordings() -> None:
    assert demo_world(seed=1, steps=24, places=2).steps == 24
