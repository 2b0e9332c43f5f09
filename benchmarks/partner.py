"""The partner door: an envelope of 20 positions, the trades feed, opening accounts.

    python -m benchmarks.partner [--trades 1000000] [--accounts 10000] [--seconds 10]

A database and a Valkey of its own, the production server (granian, WSGI). Passes when the envelope
needs at most 3 queries and is answered at least 0.25 times as often as one row read by bare Django
REST framework on the same server software; when a page of the feed costs the same (at most 1.5
times) anywhere in a million rows as in a thousand; and when the last tenth of the accounts takes
no longer (at most 1.5 times) than the first.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

POSITIONS = 20
QUERIES_MAX = 3
ENVELOPE_SHARE_MIN = 0.25
FEED_GROWTH_MAX = 1.5
OPENING_GROWTH_MAX = 1.5
THREADS = 4
# Keys are limited to 100 requests a second each; many of them keep the limit out of the figures.
KEYS = 12
ACCOUNTS_PER_TRADER = 50
FEED_PAGE = 200
SMALL_FEED = 1_000

_TRADES = """
INSERT INTO trading_trade (id, wallet_id, seq, kind, attempt, order_id, market_id, outcome_id,
    side, price, quantity, notional, fee, liquidity, realized_pnl, cash_delta, balance_after,
    placed_by, local_date, filled_at)
  SELECT gen_random_uuid(), %(wallet)s, n, 'fill', 1, n, o.market_id, o.id, 'BUY', 0.5, 10, 5, 0.1,
    'taker', -0.1, -5.1, 1000, 'trader', current_date,
    now() - (%(rows)s - n) * interval '1 second'
  FROM generate_series(1, %(rows)s) n,
    (SELECT id, market_id FROM public.markets_outcome ORDER BY id LIMIT 1) o
"""


@dataclass
class Firm:
    """A firm with keys, an account of 20 positions and two accounts with long feeds."""

    keys: list[str]
    held: Any
    small: Any
    big: Any
    user_ids: list[int]


def build(trades: int, accounts: int) -> Firm:
    """A firm, its keys and traders, and what is read."""
    from django.db import connection

    from polysim.kernel.clock import utc_now
    from polysim.kernel.tenancy import enter_building
    from tenants.models import Firm as Tenant
    from tenants.models import Participant
    from tenants.office.services import system_actor
    from tenants.services.tenant_keys import create_tenant_key
    from tests.support.exchange import make_firm_trader, make_market, make_user, set_book

    now = utc_now()
    tenant = Tenant(schema_name="bench", slug="bench", name="Bench")
    tenant.save(verbosity=0)
    with enter_building("bench"):
        keys = [
            create_tenant_key(
                firm=tenant,
                name=f"key {number}",
                permissions=("accounts:read", "accounts:write"),
                actor=system_actor("benchmark"),
                now=now,
            )[1]
            for number in range(KEYS)
        ]
    held, small, big = (make_firm_trader(schema="bench", cash="100000.00") for _ in range(3))
    for _ in range(POSITIONS):
        market = make_market()
        set_book(market, bids=[("0.60", 500)], asks=[("0.62", 500)], now=now)
        held.place(market, "BUY", quantity="10", price="0.62", now=now)
    with enter_building("bench"), connection.cursor() as cursor:
        for trader, rows in ((small, SMALL_FEED), (big, trades)):
            cursor.execute(_TRADES, {"wallet": trader.wallet.pk, "rows": rows})
        cursor.execute("ANALYZE trading_trade")
    users = [make_user() for _ in range(-(-accounts // ACCOUNTS_PER_TRADER))]
    Participant.objects.bulk_create(
        Participant(firm=tenant, user=user, external_id=str(user.pk), email=user.email)
        for user in users
    )
    return Firm(keys, held, small, big, [user.pk for user in users])


@contextmanager
def server(application: str, ready: str) -> Iterator[int]:
    """Granian's WSGI workers, as docs/operations.md runs them; its port."""
    from polysim.bootstrap.feed import free_port

    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "2"]
    command += ["--blocking-threads", "4", "--port", str(port), "--host", "127.0.0.1"]
    process = subprocess.Popen([*command, "--log-level", "error", application], env=os.environ)
    try:
        wait_for(port, ready)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


def wait_for(port: int, path: str) -> None:
    """Until the server answers; TimeoutError after a minute."""
    for _ in range(300):
        try:
            if Caller(port).ask("GET", path)[0] == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"nothing answers at {path}")


class Caller:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def ask(self, method: str, path: str, key: str = "", body: Any = None) -> tuple[int, bytes]:
        """Status and body of one request."""
        headers = {"Host": "localhost", "Content-Type": "application/json"}
        if key:
            headers["X-API-Key"] = key
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, body=text, headers=headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()


def rate(port: int, ask: Callable[[Caller, int], int], seconds: float) -> float:
    """Answers a second of `THREADS` connections that ask again at once."""
    counts = [0] * THREADS
    until = time.perf_counter() + seconds

    def run(number: int) -> None:
        caller = Caller(port)
        while time.perf_counter() < until:
            status = ask(caller, number + counts[number] * THREADS)
            assert status == 200, status
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def count_queries(path: str, key: str) -> int:
    """Statements of one request in this process, without search paths."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="localhost", headers={"X-API-Key": key})
    client.get(path)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return len([one for one in captured.captured_queries if "search_path" not in one["sql"]])


def measure_envelope(port: int, firm: Firm, seconds: float) -> bool:
    """Envelopes a second against bare rows a second, in turns."""
    path = f"/v1/partner/accounts/{firm.held.wallet.account_id}"
    queries = count_queries(path, firm.keys[0])
    ours, bare = [], []
    with server("benchmarks.bare:application", "/ready") as bare_port:
        for _ in range(4):
            bare.append(
                rate(
                    bare_port, lambda one, _: one.ask("GET", f"/{firm.held.wallet.pk}")[0], seconds
                )
            )
            ours.append(
                rate(port, lambda one, n: one.ask("GET", path, firm.keys[n % KEYS])[0], seconds)
            )
    # The first turn warms both up.
    mine, theirs = statistics.median(ours[1:]), statistics.median(bare[1:])
    share = mine / theirs
    print(
        f"envelope, {POSITIONS} positions: {mine:.0f}/s, bare row {theirs:.0f}/s, ratio "
        f"{share:.2f}, {queries} queries"
    )
    return share >= ENVELOPE_SHARE_MIN and queries <= QUERIES_MAX


def page_ms(port: int, firm: Firm, account_id: Any, position: int, times: int = 60) -> float:
    """The median milliseconds of a full page behind a position of a feed."""
    from polysim.kernel.api.partner_cursors import encode_list_cursor
    from trading.selectors.trades import TradeFilters, trades_scope

    cursor = encode_list_cursor(position, scope=trades_scope(account_id, TradeFilters()))
    path = f"/v1/partner/accounts/{account_id}/trades?limit={FEED_PAGE}&cursor={cursor}"
    caller, spent = Caller(port), []
    for number in range(times):
        began = time.perf_counter()
        status, body = caller.ask("GET", path, firm.keys[number % KEYS])
        spent.append((time.perf_counter() - began) * 1000)
        assert status == 200, body
    assert len(json.loads(body)["data"]) == FEED_PAGE
    return statistics.median(spent)


def measure_feed(port: int, firm: Firm, trades: int) -> bool:
    """A page of the small feed against pages all over the big one."""
    small = page_ms(port, firm, firm.small.wallet.account_id, 0)
    places = (0, trades // 2, trades - FEED_PAGE)
    big = [page_ms(port, firm, firm.big.wallet.account_id, place) for place in places]
    growth = max(big) / small
    shown = ", ".join(f"{one:.1f}" for one in big)
    print(
        f"feed, page of {FEED_PAGE}: {small:.1f} ms of {SMALL_FEED:,} rows; first, middle and last "
        f"of {trades:,}: {shown} ms, ratio {growth:.2f}"
    )
    return growth <= FEED_GROWTH_MAX


def measure_opening(port: int, firm: Firm, accounts: int) -> bool:
    """Open accounts over the door and compare the first tenth with the last."""
    spent: list[float] = [0.0] * accounts

    def open_some(numbers: Sequence[int]) -> None:
        caller = Caller(port)
        for number in numbers:
            body = {
                "user_id": firm.user_ids[number // ACCOUNTS_PER_TRADER],
                "external_id": f"bench-{number}",
                "stage": "challenge",
                "starting_balance": "25000.00",
            }
            began = time.perf_counter()
            key = firm.keys[number % KEYS]
            status, text = caller.ask("POST", "/v1/partner/accounts", key, body)
            spent[number] = (time.perf_counter() - began) * 1000
            assert status == 201, text

    began = time.perf_counter()
    threads = [
        threading.Thread(target=open_some, args=(range(number, accounts, THREADS),))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    tenth = max(accounts // 10, 1)
    first, last = statistics.median(spent[:tenth]), statistics.median(spent[-tenth:])
    print(
        f"opening {accounts:,} accounts: {accounts / elapsed:.0f}/s, first tenth {first:.1f} ms, "
        f"last tenth {last:.1f} ms, ratio {last / first:.2f}"
    )
    return last / first <= OPENING_GROWTH_MAX and check_money(accounts)


def check_money(accounts: int) -> bool:
    """Every account has its starting balance and the books add up."""
    from django.db.models import Sum

    from polysim.kernel.tenancy import enter_building
    from wallets.models import FirmAccount, Wallet

    with enter_building("bench"):
        opened = FirmAccount.objects.filter(external_id__startswith="bench-")
        ids = list(opened.values_list("pk", flat=True))
        total = Wallet.objects.filter(pk__in=ids).aggregate(total=Sum("balance"))["total"]
    return len(ids) == accounts and total == accounts * Decimal("25000.00")


def main() -> int:
    """Run it; 0 when every part passes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trades", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    from benchmarks.installation import own_installation

    with own_installation(pool_max=8):
        firm = build(options.trades, options.accounts)
        with server("polysim.wsgi:application", "/v1/health/live") as port:
            results = [
                measure_envelope(port, firm, options.seconds),
                measure_feed(port, firm, options.trades),
                measure_opening(port, firm, options.accounts),
            ]
    print("passed" if all(results) else "FAILED")
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
