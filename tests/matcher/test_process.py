"""`manage.py match_orders` as a process that is killed and started again."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from polysim.kernel.clock import utc_now
from tests.matcher.test_filling import fills_of, order_of, rest, sound
from tests.matcher.test_racing import wait_for
from tests.support.exchange import make_market, make_trader, set_book

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start(transactional_db: None) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a matcher on this worker's database and Valkey; all are ended afterwards."""
    started: list[subprocess.Popen[bytes]] = []

    def begin() -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import django; django.setup();"
                "from django.core.management import call_command; call_command('match_orders')",
            ],
            cwd=PROJECT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "polysim.settings"},
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait(timeout=10)


@pytest.mark.slow
def test_killed_and_started_again_it_loses_nothing(
    start: Callable[[], subprocess.Popen[bytes]],
) -> None:
    trader, market = make_trader(), make_market()
    set_book(market, asks=[("0.70", 100)], now=utc_now())
    first = rest(trader, market, price="0.60", quantity="50", now=utc_now())
    process = start()
    set_book(market, asks=[("0.60", 20)], now=utc_now())
    wait_for(lambda: order_of(first).filled_quantity == 20, seconds=20)
    # Now that it runs: within two seconds of the crossing.
    set_book(market, asks=[("0.60", 10)], now=utc_now())
    wait_for(lambda: order_of(first).filled_quantity == 30, seconds=2)
    process.kill()
    process.wait(timeout=10)
    second = rest(trader, market, price="0.59", quantity="10", now=utc_now())
    set_book(market, asks=[("0.60", 20), ("0.70", 100)], now=utc_now())
    process = start()
    wait_for(lambda: order_of(first).status == "FILLED", seconds=20)
    assert order_of(second).status == "PENDING"
    assert sum(int(quantity) for _, quantity, _ in fills_of(first)) == 50
    assert trader.position(market).quantity == 50
    assert sound()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
