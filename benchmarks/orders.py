"""Durable market orders: the service and HTTP against what PostgreSQL itself can write.

    python -m benchmarks.orders [--seconds 5] [--rounds 3] [--wallets 400] [--no-http]

Ceiling: the same rows written by one PL/pgSQL function under the embedded pgbench, 8 clients,
synchronous commit on. Service: `place_order` in this process, 8 threads. HTTP: granian's WSGI
workers with API keys. Hot wallet: 32 clients on one wallet against 32 on many. Passes when the
service reaches 0.25 of the ceiling, one hot wallet 0.2 of the many, and nothing is lost.
"""

import argparse
import contextlib
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.installation import own_installation

SERVICE_RATIO_MIN = 0.25
HOT_RATIO_MIN = 0.20
SERVICE_THREADS = 8
HOT_CLIENTS = 32
HTTP_CLIENTS = 16
BODY = {"side": "BUY", "outcome": "Yes", "quantity": "5", "price": "0.65"}


@dataclass
class Exchange:
    """What the benchmark trades on: (user id, wallet id, API key) of every trader."""

    condition_id: str
    market_id: int
    outcome_id: int
    traders: list[tuple[int, int, str]]


@dataclass
class Measured:
    """Orders acknowledged in so many seconds, and how long each took."""

    seconds: float
    order_ids: list[int] = field(default_factory=list)
    durations_s: list[float] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return len(self.order_ids) / self.seconds

    def __str__(self) -> str:
        if len(self.durations_s) < 2:
            return "nothing measured"
        cuts = statistics.quantiles(self.durations_s, n=100)
        refused = f", refused {self.refusals}" if self.refusals else ""
        return (
            f"{self.rate:8.0f} orders/s   p50 {cuts[49] * 1000:5.1f} ms"
            f"   p99 {cuts[98] * 1000:6.1f} ms{refused}"
        )


def build_exchange(wallets: int) -> Exchange:
    """One market with a very deep book, and many people with a wallet and a key."""
    from polysim.kernel.clock import utc_now
    from polysim.kernel.tenancy import enter_building
    from tenants.models import User, WalletKind
    from tenants.services import create_api_key
    from trading.markets.models import Market, Outcome
    from wallets.services import open_wallet

    now = utc_now()
    market = Market.objects.create(
        condition_id="0x" + "ab" * 32,
        venue_id="1",
        slug="benchmark",
        question="Is it fast?",
        category="crypto",
        tick_size=Decimal("0.01"),
        min_order_size=Decimal(5),
        fee_rate=Decimal("0.07"),
    )
    outcomes = [
        Outcome.objects.create(market=market, index=index, label=label, token_id=str(index + 1))
        for index, label in enumerate(("Yes", "No"))
    ]
    traders = []
    for number in range(wallets):
        user = User.objects.create_user(
            f"bench{number}@example.org", None, handle=f"bench-{number}", plan="enterprise"
        )
        _, raw_key = create_api_key(
            user=user, name=None, tier="enterprise", permissions=["trade"], actor=user, now=now
        )
        with enter_building("retail"):
            wallet = open_wallet(
                user=user, kind=WalletKind.API, baseline=Decimal("10000000.00"), now=now
            )
        traders.append((user.pk, wallet.pk, raw_key))
    return Exchange(market.condition_id, market.pk, outcomes[0].pk, traders)


def renew_book(exchange: Exchange) -> None:
    """A fresh book, deep enough for every order of a round."""
    from polysim.kernel.clock import to_milliseconds, utc_now
    from trading.markets.books import MarketWrite, TokenBook, write_market
    from trading.markets.pricing import Book

    asks = tuple((650_000 + 10_000 * step, 10**14) for step in range(20))
    bids = tuple((630_000 - 10_000 * step, 10**14) for step in range(20))
    now_ms = to_milliseconds(utc_now())
    own = TokenBook(token_id="1", book=Book(bids=bids, asks=asks), venue_ms=now_ms)
    other = TokenBook(token_id="2", book=Book(), venue_ms=now_ms)
    write_market(
        MarketWrite(
            condition_id=exchange.condition_id,
            books=(own, other),
            confirmed_at_ms=now_ms,
            is_fresh_snapshot=True,
        )
    )


def measure(
    clients: int, seconds: float, make_client: Callable[[int], Callable[[], int | str]]
) -> Measured:
    """Run clients in threads; each call answers an order id, or the code of a refusal."""
    from django.db import connection

    results = [Measured(seconds) for _ in range(clients)]
    start = threading.Barrier(clients + 1)
    end_at = [0.0]

    def run(number: int) -> None:
        act = make_client(number)
        own = results[number]
        start.wait()
        while (began := time.perf_counter()) < end_at[0]:
            done = act()
            if isinstance(done, str):
                own.refusals[done] = own.refusals.get(done, 0) + 1
                continue
            own.order_ids.append(done)
            own.durations_s.append(time.perf_counter() - began)
        connection.close()  # a thread that ends keeps its place in the pool otherwise

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    end_at[0] = time.perf_counter() + seconds + 0.05
    start.wait()
    for thread in threads:
        thread.join()
    total = Measured(seconds)
    for own in results:
        total.order_ids += own.order_ids
        total.durations_s += own.durations_s
        for code, count in own.refusals.items():
            total.refusals[code] = total.refusals.get(code, 0) + count
    return total


def service_client(exchange: Exchange, *, is_hot: bool) -> Callable[[int], Callable[[], int | str]]:
    """A caller of `place_order`, entering the building for each order as a door does."""
    from polysim.kernel.clock import utc_now
    from polysim.kernel.errors import PolysimError
    from polysim.kernel.tenancy import enter_building
    from trading.services import Caller, parse_order, place_order

    def make(number: int) -> Callable[[], int | str]:
        chance = random.Random(number)

        def act() -> int | str:
            trader = exchange.traders[0] if is_hot else chance.choice(exchange.traders)
            user_id, wallet_id, _ = trader
            body = {**BODY, "market_id": exchange.condition_id, "wallet_id": wallet_id}
            try:
                with enter_building("retail"):
                    answer = place_order(
                        command=parse_order(body, is_key=True),
                        caller=Caller(user_id=user_id, is_key=True),
                        now=utc_now(),
                    )
            except PolysimError as error:
                return error.code
            return int(answer["order_id"])

        return act

    return make


def http_client(exchange: Exchange, port: int) -> Callable[[int], Callable[[], int | str]]:
    """A caller of `POST /v1/orders` with API keys on one kept connection."""

    def make(number: int) -> Callable[[], int | str]:
        chance = random.Random(number)
        connection = http.client.HTTPConnection("localhost", port, timeout=30)
        body = json.dumps({**BODY, "market_id": exchange.condition_id})

        def act() -> int | str:
            raw_key = chance.choice(exchange.traders)[2]
            headers = {"Content-Type": "application/json", "X-API-Key": raw_key}
            connection.request("POST", "/v1/orders", body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            return int(answer["order_id"]) if response.status == 200 else str(answer["error"])

        return act

    return make


def measure_ceiling(
    folder: Path, exchange: Exchange, answer: dict[str, Any], seconds: int
) -> float:
    """Transactions per second of pgbench writing the same rows."""
    from django.db import connection

    from polysim.bootstrap.postgres import wheel_binaries
    from polysim.kernel.tenancy import enter_building
    from trading.models import Fill

    with enter_building("retail"), connection.cursor() as cursor:
        cursor.execute((Path(__file__).parent / "orders_ceiling.sql").read_text())
        evidence = Fill.objects.order_by("pk")[0].evidence
    first = exchange.traders[0]
    step = exchange.traders[1][1] - first[1] if len(exchange.traders) > 1 else 1
    user_step = exchange.traders[1][0] - first[0] if len(exchange.traders) > 1 else 1
    script = folder / "ceiling.pgbench"
    script.write_text(
        f"\\set n random(0, {len(exchange.traders) - 1})\n"
        f"SELECT bench_order({first[1]} + :n * {step}, {first[0]} + :n * {user_step},"
        f" {exchange.market_id}, {exchange.outcome_id}, '{json.dumps(answer)}'::jsonb,"
        f" '{json.dumps(evidence)}'::jsonb);\n"
    )
    socket_folder = os.environ["DATABASE_URL"].split("host=")[1]
    command = [str(wheel_binaries() / "pgbench"), "-h", socket_folder, "-U", "polysim", "-n"]
    command += ["-M", "prepared", "-c", "8", "-j", "2", "-T", str(seconds), "-f", str(script)]
    result = subprocess.run(
        [*command, "polysim"],
        env={**os.environ, "PGOPTIONS": "-c search_path=retail,public"},
        capture_output=True,
        text=True,
        check=False,
    )
    for line in result.stdout.splitlines():
        if line.startswith("tps = "):
            return float(line.split()[2])
    raise RuntimeError(result.stdout + result.stderr)


@contextlib.contextmanager
def granian_workers(workers: int) -> Any:
    """The production server of HTTP on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"]
    command += ["--port", str(port), "--workers", str(workers), "--blocking-threads", "4"]
    command += ["--no-access-log", "--log-level", "error", "polysim.wsgi:application"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()  # one WSGI worker may outlive the SIGTERM


def count_lost(rounds: list[Measured]) -> int:
    """Acknowledged orders that are not there exactly once with exactly one fill."""
    from polysim.kernel.tenancy import enter_building
    from trading.models import Fill, Order
    from wallets.selectors import check_conservation

    acknowledged = [order_id for measured in rounds for order_id in measured.order_ids]
    with enter_building("retail"):
        stored = set(Order.objects.filter(status="FILLED").values_list("pk", flat=True))
        filled = list(Fill.objects.values_list("order_id", flat=True))
        assert check_conservation().is_sound, "the books do not add up"
    lost = len(set(acknowledged) - stored) + len(acknowledged) - len(set(acknowledged))
    return lost + len(filled) - len(set(filled))


def run(seconds: int, wallets: int, rounds: int, with_http: bool) -> bool:
    """Measure, print, and say whether the bars are met.

    Ceiling and service take turns, so that other load on the machine meets both alike; the
    ratios are medians of the rounds.
    """
    from django.db import connection

    with own_installation(pool_max=HOT_CLIENTS + 4) as services:
        exchange = build_exchange(wallets)
        renew_book(exchange)
        answer = _first_answer(exchange)
        with connection.cursor() as cursor:
            cursor.execute("SHOW synchronous_commit")
            print(f"{wallets} wallets, {seconds} s a round, synchronous_commit", *cursor.fetchone())
        done: list[Measured] = []

        def service(clients: int, is_hot: bool = False) -> Measured:
            renew_book(exchange)
            made = measure(clients, seconds, service_client(exchange, is_hot=is_hot))
            done.append(made)
            return made

        service(SERVICE_THREADS)  # warms caches and plans
        ratios, hot_ratios, http_ratios = [], [], []
        for number in range(1, rounds + 1):
            ceiling = measure_ceiling(services.folder, exchange, answer, seconds)
            eight = service(SERVICE_THREADS)
            many = service(HOT_CLIENTS)
            hot = service(HOT_CLIENTS, is_hot=True)
            ratios.append(eight.rate / ceiling)
            hot_ratios.append(hot.rate / many.rate)
            print(f"round {number}")
            print(f"  ceiling, pgbench 8 clients   {ceiling:8.0f} orders/s")
            print(f"  service, 8 threads           {eight}   of ceiling {ratios[-1]:.2f}")
            print(f"  service, 32, many wallets    {many}   of ceiling {many.rate / ceiling:.2f}")
            print(f"  service, 32, one wallet      {hot}   of many {hot_ratios[-1]:.2f}")
            if with_http:
                over_http = _measure_http(exchange, seconds, done)
                http_ratios.append(over_http.rate / ceiling)
                print(
                    f"  HTTP, 16 clients             {over_http}   of ceiling {http_ratios[-1]:.2f}"
                )
        lost = count_lost(done)
    service_ratio, hot_ratio = statistics.median(ratios), statistics.median(hot_ratios)
    print(f"service / ceiling {service_ratio:.2f} (at least {SERVICE_RATIO_MIN})")
    print(f"one wallet / many {hot_ratio:.2f} (at least {HOT_RATIO_MIN})")
    if http_ratios:
        print(f"HTTP / ceiling    {statistics.median(http_ratios):.2f}")
    print(f"acknowledged orders lost or doubled: {lost}")
    return service_ratio >= SERVICE_RATIO_MIN and hot_ratio >= HOT_RATIO_MIN and lost == 0


def _measure_http(exchange: Exchange, seconds: int, done: list[Measured]) -> Measured:
    renew_book(exchange)
    with granian_workers(workers=2) as port:
        done.append(measure(4, 1, http_client(exchange, port)))  # warms the workers
        made = measure(HTTP_CLIENTS, seconds, http_client(exchange, port))
    done.append(made)
    return made


def _first_answer(exchange: Exchange) -> dict[str, Any]:
    """One order, whose answer and evidence the ceiling writes again and again."""
    from polysim.kernel.tenancy import enter_building
    from trading.models import Order

    order_id = service_client(exchange, is_hot=False)(0)()
    with enter_building("retail"):
        answer: dict[str, Any] = Order.objects.get(pk=order_id).answer
    return answer


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--wallets", type=int, default=400)
    parser.add_argument("--no-http", action="store_true")
    options = parser.parse_args()
    is_met = run(options.seconds, options.wallets, options.rounds, not options.no_http)
    print("met" if is_met else "NOT met")
    return 0 if is_met else 1


if __name__ == "__main__":
    raise SystemExit(main())
