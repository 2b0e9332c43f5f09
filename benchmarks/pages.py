"""The market page and the market list with 2,000 markets and a million fills in the database.

    python -m benchmarks.pages [--fills 1000000] [--seconds 20]

A database and a Valkey of its own, the production server (granian, WSGI), a signed-in trader with
positions and open orders, 20 requests a second sent at their due time whatever the server does.
Beside each page stands an unmetered answer without any query, so that the machine's own speed can
be divided out. Passes when every page needs at most 8 queries and its p95 is at most 100 ms.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RATE_PER_S = 20
QUERIES_MAX = 8
P95_MS_MAX = 100.0
MARKETS = 2_000
WALLETS = 200
BARE = "/v1/health/live"

_FILL = """
SET session_replication_role = replica;
INSERT INTO public.markets_event (venue_id, slug, title, description, category, tags, image_url,
    series_slug, is_neg_risk, is_closed, starts_at, ends_at, volume_24h, updated_at)
  SELECT n, 'event-' || n, 'Synthetic event ' || n, '', 'politics', '[]', '', '', false, false,
    now(), now() + interval '30 days', n, now() FROM generate_series(1, %(markets)s / 4) n;
INSERT INTO public.markets_market (condition_id, venue_id, event_id, slug, kind, question,
    group_item_title, description, resolution_source, category, image_url, tick_size,
    min_order_size, is_neg_risk, fee_rate, fee_exponent, is_active, is_closed, is_archived,
    is_accepting_orders, is_order_book_enabled, is_hidden, uma_status, starts_at, ends_at,
    created_at, updated_at)
  SELECT '0x' || lpad(to_hex(n), 64, '0'), n, e.id, 'market-' || n, 'standard',
    'Synthetic question number ' || n || '?', '', 'Synthetic rules.', '', 'politics', '', 0.01, 5,
    false, 0.04, 1, true, false, false, true, true, false, '', now(), now() + interval '30 days',
    now(), now()
  FROM generate_series(1, %(markets)s) n
  JOIN public.markets_event e ON e.venue_id = ((n + 3) / 4)::text;
INSERT INTO public.markets_outcome (market_id, index, label, token_id)
  SELECT m.id, i, CASE i WHEN 0 THEN 'Yes' ELSE 'No' END, (m.id * 2 + i)::text
  FROM public.markets_market m, generate_series(0, 1) i;
INSERT INTO public.markets_marketstats (market_id, volume_24h, volume_total, liquidity, price,
    best_bid, best_ask, last_trade_price, change_24h, updated_at)
  SELECT id, id * 10, id * 100, id, 0.5, 0.49, 0.51, 0.5, 0.01, now()
  FROM public.markets_market;
INSERT INTO public.markets_minutecandle (outcome_id, minute_at, open, high, low, close, volume)
  SELECT o.id, date_trunc('minute', now()) - n * interval '1 minute', 0.5, 0.52, 0.48, 0.5, 10
  FROM public.markets_outcome o, generate_series(1, 1440) n
  WHERE o.id <= (SELECT min(id) + 199 FROM public.markets_outcome);
INSERT INTO public.tenants_accountdirectoryentry (account_id, firm_id, user_id, kind, created_at)
  SELECT gen_random_uuid(), (SELECT id FROM public.tenants_firm WHERE schema_name = 'retail'),
    (SELECT id FROM public.tenants_user WHERE email = %(email)s), 'SANDBOX', now()
  FROM generate_series(1, %(wallets)s);
INSERT INTO wallets_wallet (id, account_id, user_id, kind, status, trading_state, balance,
    reserved, baseline, generation, created_at)
  SELECT wallet_id, account_id, user_id, kind, 'ACTIVE', 'OPEN', 10000, 0, 10000, 1, created_at
  FROM public.tenants_accountdirectoryentry WHERE kind = 'SANDBOX'
  ON CONFLICT DO NOTHING;
INSERT INTO trading_order (wallet_id, user_id, market_id, outcome_id, side, type, time_in_force,
    price, quantity, filled_quantity, filled_notional, fee, average_price, is_post_only, status,
    cancelled_reason, request_hash, answer, created_at, filled_at)
  SELECT w.id, w.user_id, o.market_id, o.id, 'BUY', 'market', 'FOK', 0.5, 10, 10, 5, 0.1, 0.5,
    false, 'FILLED', '', '', '{}', now() - n * interval '1 second', now() - n * interval '1 second'
  FROM generate_series(1, %(fills)s) n
  JOIN (SELECT id, user_id, row_number() OVER (ORDER BY id) AS place FROM wallets_wallet) w
    ON w.place = n %% (SELECT count(*) FROM wallets_wallet) + 1
  JOIN (SELECT id, market_id, row_number() OVER (ORDER BY id) AS place
    FROM public.markets_outcome) o ON o.place = (n::bigint * 7919) %% (%(markets)s * 2) + 1;
INSERT INTO trading_fill (order_id, wallet_id, market_id, outcome_id, side, price, quantity,
    notional, fee, liquidity, realized_pnl, match_key, evidence, created_at)
  SELECT id, wallet_id, market_id, outcome_id, side, 0.5, 10, 5, 0.1, 'taker', 0, 'placed', '{}',
    created_at FROM trading_order;
INSERT INTO trading_position (wallet_id, market_id, outcome_id, quantity, reserved_quantity, cost,
    average_price, realized_pnl, status, opened_at)
  SELECT w.id, o.market_id, o.id, 10, 0, 5, 0.5, 0, 'OPEN', now()
  FROM wallets_wallet w, public.markets_outcome o
  WHERE o.id %% 97 = w.id %% 97 AND o.id %% 2 = 0;
SET session_replication_role = DEFAULT;
ANALYZE;
"""


@contextmanager
def installation() -> Iterator[dict[str, str]]:
    """A migrated installation in a temporary folder; its environment."""
    from polysim.bootstrap.services import services_for_command

    with tempfile.TemporaryDirectory(prefix="polysim-pages-") as folder:
        state = Path(folder) / "state"
        with services_for_command(state) as environment:
            environment |= {"POLYMARKET_FEED_MODE": "off", "POLYSIM_DEBUG": "false"}
            subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "polysim.bootstrap.prepare",
                    "http://localhost:8000",
                    "demo.json",
                ],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            yield environment


def fill(fills: int, email: str) -> None:
    """Rows enough that a count or a query per row would show."""
    from django.db import connection, transaction

    from polysim.kernel.tenancy import enter_building

    numbers = {"markets": MARKETS, "wallets": WALLETS, "fills": fills, "email": email}
    with enter_building("retail"), transaction.atomic(), connection.cursor() as cursor:
        for statement in _FILL.split(";\n"):
            if statement.strip():
                cursor.execute(statement, numbers)


def sign_in(email: str, password: str) -> tuple[str, dict[str, int], list[str]]:
    """The session cookie, queries per page, and the pages' addresses."""
    from django.conf import settings
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from trading.markets.models import Market

    client = Client(SERVER_NAME="localhost")
    assert client.login(email=email, password=password), "the demo trader cannot sign in"
    slug = Market.objects.order_by("-stats__volume_24h").values_list("slug", flat=True)[0]
    pages = ["/markets/", f"/markets/{slug}/"]
    queries = {}
    for page in pages:
        client.get(page)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(page)
        assert answer.status_code == 200, f"{page} answered {answer.status_code}"
        queries[page] = len(
            [one for one in captured.captured_queries if "search_path" not in one["sql"]]
        )
    return client.cookies[settings.SESSION_COOKIE_NAME].value, queries, pages


def measure(base: str, page: str, cookie: str, seconds: int) -> list[float]:
    """Milliseconds from each request's due time to its last byte."""
    import httpx

    latencies: list[float] = []
    lock = threading.Lock()
    client = httpx.Client(
        base_url=base,
        cookies={"sessionid": cookie},
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
        timeout=30,
    )

    def ask(due: float) -> None:
        answer = client.get(page)
        assert answer.status_code == 200, f"{page} answered {answer.status_code}"
        with lock:
            latencies.append((time.perf_counter() - due) * 1000)

    for _ in range(10):
        client.get(page)
    threads = []
    began = time.perf_counter()
    for number in range(RATE_PER_S * seconds):
        due = began + number / RATE_PER_S
        time.sleep(max(0.0, due - time.perf_counter()))
        thread = threading.Thread(target=ask, args=(due,))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()
    client.close()
    return sorted(latencies)


def percentile(latencies: list[float], share: float) -> float:
    """The value below which `share` of the sorted values lie."""
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))]


@contextmanager
def production_server(environment: dict[str, str], port: int) -> Iterator[str]:
    """Granian's WSGI workers, as docs/operations.md runs them."""
    import httpx

    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--workers", "2"]
    command += ["--blocking-threads", "4", "--port", str(port), "--host", "127.0.0.1"]
    server = subprocess.Popen(
        [*command, "--log-level", "error", "polysim.wsgi:application"], env=environment
    )
    base = f"http://localhost:{port}"
    try:
        for _ in range(150):
            try:
                if httpx.get(base + BARE, timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                time.sleep(0.2)
        yield base
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()


def main() -> int:
    """Run it; 0 when every page passes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fills", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    with installation() as environment:
        os.environ.update(environment)
        import django

        django.setup()
        from polysim.bootstrap.feed import free_port
        from tenants.models import User

        password = "a-pass-for-this-run-only"
        trader = User.objects.get(plan="pro")
        trader.set_password(password)
        trader.save(update_fields=["password"])
        fill(options.fills, trader.email)
        cookie, queries, pages = sign_in(trader.email, password)
        is_good = True
        print(f"{'page':<32}{'queries':>8}{'p50 ms':>9}{'p95 ms':>9}{'bare p95':>10}{'ratio':>8}")
        with production_server(environment, free_port()) as base:
            bare = percentile(measure(base, BARE, cookie, options.seconds), 0.95)
            for page in pages:
                latencies = measure(base, page, cookie, options.seconds)
                p50, p95 = percentile(latencies, 0.5), percentile(latencies, 0.95)
                is_good &= queries[page] <= QUERIES_MAX and p95 <= P95_MS_MAX
                print(
                    f"{page[:31]:<32}{queries[page]:>8}{p50:>9.1f}{p95:>9.1f}{bare:>10.1f}"
                    f"{p95 / bare:>8.1f}"
                )
    print("passed" if is_good else "FAILED")
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
