"""Kills PostgreSQL, then Valkey, under a load of orders. Run as a process of its own by a test.

    python -m tests.trading.outage

Prints one JSON object: orders acknowledged, how many of them are missing or doubled, refusals by
code, whether the books add up, and what happened while Valkey was away.
"""

import json
import threading
import time
from collections import Counter
from decimal import Decimal
from typing import Any

from benchmarks.installation import own_installation
from benchmarks.orders import Exchange, build_exchange, renew_book, service_client

THREADS = 4


def start_load(exchange: Exchange) -> tuple[threading.Event, list[int], Counter[str], list[Any]]:
    """Threads that place orders until told to stop; unexpected errors are counted by name."""
    stopping = threading.Event()
    acknowledged: list[int] = []
    refusals: Counter[str] = Counter()

    def run(number: int) -> None:
        from django.db import connection

        act = service_client(exchange, is_hot=False)(number)
        while not stopping.is_set():
            try:
                done = act()
            except Exception as error:  # noqa: BLE001 (whatever a door would answer 500 for)
                refusals[type(error).__name__] += 1
                connection.close()
                time.sleep(0.02)
                continue
            if isinstance(done, int):
                acknowledged.append(done)
            else:
                refusals[done] += 1
                time.sleep(0.01)
        connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    return stopping, acknowledged, refusals, threads


def wait_for(acknowledged: list[int], more: int, seconds_max: float = 20) -> bool:
    """Whether so many more orders were acknowledged in time."""
    wanted = len(acknowledged) + more
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        if len(acknowledged) >= wanted:
            return True
        time.sleep(0.01)
    return False


def main(report: dict[str, Any]) -> None:
    with own_installation(pool_max=8) as services:
        exchange = build_exchange(6)
        renew_book(exchange)
        stopping, acknowledged, refusals, threads = start_load(exchange)
        report["began"] = wait_for(acknowledged, 50)
        services.postgres.process.popen.kill()
        time.sleep(0.5)
        services.postgres.start()
        report["after_postgres"] = wait_for(acknowledged, 50)
        report["refused_by_postgres"] = dict(refusals)
        refusals.clear()
        services.valkey.process.popen.kill()
        before = len(acknowledged)
        time.sleep(0.7)
        report["threads"] = THREADS
        report["placed_without_valkey"] = len(acknowledged) - before
        services.valkey.start()
        renew_book(exchange)
        report["after_valkey"] = wait_for(acknowledged, 50)
        report["refused_by_valkey"] = dict(refusals)
        stopping.set()
        for thread in threads:
            thread.join()
        report.update(audit(acknowledged))


def audit(acknowledged: list[int]) -> dict[str, Any]:
    from django.db import connection

    from polysim.kernel.tenancy import enter_building
    from trading.models import Fill, Order
    from wallets.models import Wallet
    from wallets.selectors import check_conservation

    connection.close()  # this thread's connection died with the first server
    with enter_building("retail"):
        stored = set(Order.objects.values_list("pk", flat=True))
        fills = Counter(Fill.objects.values_list("order_id", flat=True))
        cash = sum(Wallet.objects.values_list("balance", flat=True), Decimal(0))
        spent = sum((fill.notional + fill.fee for fill in Fill.objects.all()), Decimal(0))
        funded = Decimal(10_000_000) * Wallet.objects.count()
        return {
            "acknowledged": len(acknowledged),
            "stored": len(stored),
            "missing": len(set(acknowledged) - stored),
            "doubled": len(acknowledged) - len(set(acknowledged)) + max(fills.values()) - 1,
            "is_sound": check_conservation().is_sound and cash + spent == funded,
        }


if __name__ == "__main__":
    made: dict[str, Any] = {}
    main(made)
    print(json.dumps(made))
