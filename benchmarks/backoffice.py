"""The BackOffice's list of challenges with 100,000 running challenges of five positions each.

    python -m benchmarks.backoffice [--challenges 100000] [--rounds 40]

A database and a Valkey of its own; the pages are asked one after the other through the whole stack
of middleware, in this process. Beside them stands an answer without any query, so that the
machine's own speed can be divided out. Passes when a page of the list, its 1,000th page and its
filters need at most 8 queries and their p95 is at most 300 ms.
"""

import argparse
import sys
import time
from typing import Any

from benchmarks.evaluator_world import make_firm, make_world, set_prices
from benchmarks.installation import own_installation

QUERIES_MAX = 8
P95_MS_MAX = 300.0
MARKETS = 400
BARE = "/v1/health/live"
LIST = "/backoffice/challenges/"
PAGES = (
    LIST,
    f"{LIST}?p=1000",
    f"{LIST}?status__exact=1",
    f"{LIST}?stage=0",
    f"{LIST}?o=-2",
)


def sign_in(schema: str) -> Any:
    """A browser of the firm's Owner."""
    from django.test import Client

    from polysim.kernel.clock import utc_now
    from tenants.models import Firm, StaffRole
    from tenants.services import grant_role, register_user

    now = utc_now()
    owner = register_user(email="owner@many.example", password=None, now=now)
    firm = Firm.objects.get(schema_name=schema)
    grant_role(user=owner, firm=firm, role=StaffRole.ADMIN, actor=None, now=now)
    client = Client(headers={"host": f"{schema}.localhost"})
    client.force_login(owner, backend="django.contrib.auth.backends.ModelBackend")
    return client


def count_queries(client: Any, address: str) -> int:
    """Statements of one answer, choosing the schema included."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(address)
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200, address
    return len(captured)


def measure(client: Any, address: str, rounds: int) -> tuple[float, float]:
    """(median, p95) in milliseconds."""
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = client.get(address)
        took.append((time.perf_counter() - start) * 1000)
        assert answer.status_code == 200, address
    took.sort()
    return took[len(took) // 2], took[int(len(took) * 0.95)]


def main() -> int:
    """Print every page and whether it keeps its bounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--challenges", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with own_installation(pool_max=4):
        from polysim.kernel.clock import utc_now

        world = make_world(
            make_firm("many"), count=options.challenges, markets=MARKETS, now=utc_now()
        )
        set_prices(world, now=utc_now())
        client = sign_in(world.schema)
        is_kept = True
        for address in PAGES:
            queries = count_queries(client, address)
            median, p95 = measure(client, address, options.rounds)
            bare, _ = measure(client, BARE, options.rounds)
            is_good = queries <= QUERIES_MAX and p95 <= P95_MS_MAX
            is_kept = is_kept and is_good
            print(
                f"{address:44} {queries} queries, median {median:6.1f} ms, p95 {p95:6.1f} ms, "
                f"{median / bare:5.1f} times a bare answer {'' if is_good else ' <- too much'}"
            )
    return 0 if is_kept else 1


if __name__ == "__main__":
    sys.exit(main())
