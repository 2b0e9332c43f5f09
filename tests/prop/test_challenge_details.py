"""A challenge in full: progress, metrics, breaches, and their cache (prop-client 5, 6.5)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from prop import cache
from prop.models import (
    Challenge,
    ChallengePhase,
    DailySnapshot,
    MetricSnapshot,
    RuleBreach,
)
from prop.objects import metric_object
from prop.selectors.challenges import get_challenge_details
from prop.selectors.pages.day import read_day_page
from prop.selectors.pages.statistics import read_statistics
from prop.services.purchases import buy_challenge
from tests.prop.catalogue import NOW, make_program
from tests.prop.trader import PropDoor, make_customer, make_payer
from tests.support.exchange import Trader, make_market, set_book
from wallets.models import FirmAccount, Wallet

pytestmark = pytest.mark.django_db


class Run:
    """A running challenge of a customer of alpha."""

    def __init__(self, **program: Any) -> None:
        self.customer = make_customer()
        self.program = make_program(**program)
        payer = make_payer(self.customer, "250")
        bought = buy_challenge(
            customer=self.customer,
            program_id=self.program.pk,
            payer_login=payer.pk,
            idempotency_key="",
            now=NOW,
        )
        assert bought.challenge is not None
        self.challenge: Challenge = bought.challenge
        self.phase = ChallengePhase.objects.get(challenge=self.challenge)
        self.door = PropDoor(self.customer)

    def details(self, now: datetime = NOW) -> dict[str, Any]:
        return get_challenge_details(
            challenge_id=self.challenge.pk, customer=self.customer, now=now
        )

    def progress(self, now: datetime = NOW) -> dict[str, Any]:
        fields: dict[str, Any] = self.details(now)["current_phase"]["progress"]
        return fields

    def set_day(self, equity: str) -> None:
        DailySnapshot.objects.update(daily_start_equity=Decimal(equity))

    def add_metric(self, number: int = 0, **fields: Any) -> MetricSnapshot:
        """A stored metric, `number` dollars above the start and seconds after it."""
        metric = self.make_metric(number, **fields)
        metric.save()
        return metric

    def make_metric(self, number: int = 0, **fields: Any) -> MetricSnapshot:
        values = {
            "balance": Decimal(10000),
            "equity": Decimal(10000) + number,
            "profit_target": Decimal(number) / 100,
            "daily_loss": 0,
            "total_loss": 0,
            "daily_profit": 0,
            "trading_days": 2,
            "open_positions": 1,
            "daily_start_equity": Decimal(10000),
            "created_at": NOW + timedelta(seconds=number),
        }
        return MetricSnapshot(
            challenge=self.challenge,
            phase=self.phase,
            phase_index=1,
            account_login=self.phase.account_login,
            **{**values, **fields},
        )

    def end(self, status: int) -> None:
        """The phase is over."""
        ChallengePhase.objects.update(status=status, end_at=NOW + timedelta(days=3))


@pytest.fixture
def run(in_alpha: Any) -> Run:
    return Run()


@pytest.mark.parametrize(
    ("day", "equity", "expected"),
    [
        (
            "10300",
            "10200",
            {
                "profit_pct": 2,
                "profit_target_progress_pct": 25,
                "daily_loss_pct": 0.970874,
                "total_loss_pct": 0,
                "daily_loss_floor": 9785,
                "total_loss_floor": 9000,
            },
        ),
        (
            "9800",
            "9604",
            {
                "profit_pct": -3.96,
                "profit_target_progress_pct": 0,
                "daily_loss_pct": 2,
                "total_loss_pct": 3.96,
            },
        ),
        ("10000", "11000", {"profit_target_progress_pct": 100, "profit_pct": 10}),
    ],
)
@pytest.mark.parametrize("is_ended", [False, True])
def test_the_contracts_test_values(
    run: Run, day: str, equity: str, expected: dict[str, float], is_ended: bool
) -> None:
    run.set_day(day)
    if is_ended:
        run.add_metric(equity=Decimal(equity), daily_start_equity=Decimal(day))
        run.end(3)
    else:
        move_equity(run, Decimal(equity))

    shown = run.progress()

    assert {name: shown[name] for name in expected} == expected
    assert shown["profit_target_pct"] == 8
    assert shown["daily_loss_limit_pct"] == 5
    assert shown["total_loss_limit_pct"] == 10
    assert (shown["min_trading_days"], shown["max_trading_days"]) == (3, 20)
    assert shown["max_positions"] == 5


def move_equity(run: Run, equity: Decimal) -> None:
    """Bring the account's cash to `equity`, as profit or loss would."""
    from wallets.services import lock_user, transfer_money

    wallet = Wallet.objects.get(pk=run.phase.account_login)
    lock_user(user_id=run.customer.pk)
    transfer_money(
        wallet_id=wallet.pk,
        type="ADJUSTMENT",
        amount=equity - wallet.balance,
        reference="profit or loss",
        now=NOW,
    )


def test_the_references_own_value(in_alpha: Any) -> None:
    run = Run()
    ChallengePhase.objects.update(terms={**run.phase.terms, "initial_balance": "100000"})
    run.set_day("100000")
    run.add_metric(equity=Decimal(104500), daily_start_equity=Decimal(100000))
    run.end(2)

    shown = run.progress()

    assert shown["profit_pct"] == 4.5
    assert shown["profit_target_progress_pct"] == 56.25


def test_a_fresh_valuation_counts_before_the_latest_metric(run: Run) -> None:
    run.add_metric(number=500)
    market = make_market()
    set_book(market, bids=[("0.49", 500)], asks=[("0.51", 500)])
    trader = Trader(run.customer, Wallet.objects.get(pk=run.phase.account_login), "alpha")
    trader.place(market, "BUY", quantity="100", price="0.51")

    shown = run.progress()

    assert shown["open_positions"] == 1
    # 100 shares for 51 dollars and 1.75 fee are worth 50.
    assert Decimal(str(shown["profit_pct"])) < 0
    details = run.details()
    assert details["latest_metric"]["equity"] == 10500
    assert details["current_phase"]["latest_metric"] == details["latest_metric"]


def test_stale_prices_leave_the_word_to_the_latest_metric(run: Run) -> None:
    market = make_market()
    set_book(market, bids=[("0.49", 500)], asks=[("0.51", 500)])
    trader = Trader(run.customer, Wallet.objects.get(pk=run.phase.account_login), "alpha")
    trader.place(market, "BUY", quantity="100", price="0.51")
    run.add_metric(number=500)

    assert run.progress(NOW + timedelta(seconds=290))["profit_pct"] < 0
    assert run.progress(NOW + timedelta(seconds=301))["profit_pct"] == 5


def test_days_left_and_the_next_midnight(in_alpha: Any) -> None:
    run = Run(timezone="America/New_York")

    shown = run.progress(NOW + timedelta(days=1, seconds=1))

    assert shown["days_left"] == 29
    # 5 January 2027 10:00 UTC is 5 o'clock in New York; midnight there is 5:00 UTC.
    assert run.progress()["next_reset_time"] == 1_799_211_600
    assert DailySnapshot.objects.get().local_date.isoformat() == "2027-01-05"


def test_a_challenge_that_began_before_local_midnight_has_that_date(in_alpha: Any) -> None:
    Run(timezone="Pacific/Auckland")
    assert DailySnapshot.objects.get().local_date.isoformat() == "2027-01-05"
    Run(timezone="Pacific/Kiritimati")
    dates = set(DailySnapshot.objects.values_list("local_date", flat=True))
    assert {date.isoformat() for date in dates} == {"2027-01-05", "2027-01-06"}


def test_the_program_is_shown_as_it_was_bought(run: Run) -> None:
    run.program.steps.filter(phase_index=1).update(max_total_loss_pct=1)

    details = run.details()

    assert details["program"]["steps"][0]["max_total_loss_pct"] == 10
    assert details["current_phase"]["progress"]["total_loss_limit_pct"] == 10


def add_breach(run: Run, rule: str, *, is_primary: bool, number: int = 0) -> RuleBreach:
    return RuleBreach.objects.create(
        challenge=run.challenge,
        phase=run.phase,
        phase_index=1,
        account_login=run.phase.account_login,
        rule=rule,
        limit_value=5,
        actual_value=Decimal("5.12"),
        basis_value=10300,
        balance=9900,
        equity=Decimal("9772.64"),
        is_primary=is_primary,
        message="Daily loss 5.12 % reached the limit of 5 %",
        created_at=NOW + timedelta(seconds=number),
    )


def test_the_latest_breach_is_the_primary_one(run: Run) -> None:
    primary = add_breach(run, "max_total_loss_pct", is_primary=True)
    other = add_breach(run, "max_daily_loss_pct", is_primary=False)

    assert run.details()["latest_breach"]["id"] == primary.pk
    body = run.door.get(f"challenges/{run.challenge.pk}/breaches").json()
    assert [row["id"] for row in body["rows"]] == [other.pk, primary.pk]
    assert body["count"] == 2
    assert body["rows"][0] == {
        "id": other.pk,
        "challenge_id": run.challenge.pk,
        "phase_id": run.phase.pk,
        "phase_index": 1,
        "account_login": run.phase.account_login,
        "rule": "max_daily_loss_pct",
        "limit_value": 5,
        "actual_value": 5.12,
        "basis_value": 10300,
        "balance": 9900,
        "equity": 9772.64,
        "is_primary": False,
        "message": "Daily loss 5.12 % reached the limit of 5 %",
        "created_time": int(NOW.timestamp()),
    }


# --- Metrics and their cache --------------------------------------------------------------------


def read(run: Run, query: str = "") -> dict[str, Any]:
    answer = run.door.get(f"challenges/{run.challenge.pk}/metrics{query}")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def equities(body: dict[str, Any]) -> list[float]:
    return [row["equity"] - 10000 for row in body["rows"]]


def test_metrics_are_newest_first_with_pages_and_filters(run: Run) -> None:
    for number in range(5):
        run.add_metric(number)
    second = int(NOW.timestamp())

    assert equities(read(run)) == [4, 3, 2, 1, 0]
    assert equities(read(run, "?limit=2&offset=1")) == [3, 2]
    assert read(run, "?limit=2&offset=1")["count"] == 5
    assert equities(read(run, f"?from={second + 1}&to={second + 3}")) == [3, 2, 1]
    assert read(run, f"?from={second + 1}&to={second + 3}")["count"] == 3
    assert read(run, "?phase_index=2") == {"rows": [], "count": 0}
    assert read(run, "?phase_index=1")["count"] == 5
    assert read(run, "?offset=5") == {"rows": [], "count": 5}


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "offset=-1", "phase_index=0", "from=x"])
def test_wrong_pages_of_metrics_are_400(run: Run, query: str) -> None:
    answer = run.door.get(f"challenges/{run.challenge.pk}/metrics?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"] == "INVALID_DATA"


def test_1500_metrics_of_which_1000_are_remembered(run: Run, redis_client: Any) -> None:
    MetricSnapshot.objects.bulk_create(run.make_metric(number) for number in range(1500))

    body = read(run, "?limit=10&offset=1200")

    assert equities(body) == list(range(299, 289, -1))
    assert body["count"] == 1500
    assert read(run, "?limit=1000")["rows"][0]["equity"] == 11499
    assert redis_client.llen(list_key(run)) == 1000
    assert equities(read(run, "?limit=4&offset=998")) == [501, 500, 499, 498]


def list_key(run: Run) -> str:
    return f"{settings.REDIS_KEY_PREFIX}:prop:alpha:metrics:{run.challenge.pk}"


def test_a_warm_cache_reads_no_rows(run: Run) -> None:
    run.add_metric(1)
    cold = read(run)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        warm = read(run)

    assert warm == cold
    rows = [one["sql"] for one in queries if '"daily_start_equity"' in one["sql"]]
    assert rows == []


def push(metric: MetricSnapshot) -> None:
    cache.push_rows([(cache.METRICS, metric.challenge_id, metric_object(metric))])


@pytest.fixture
def warm(run: Run) -> Run:
    """A challenge with two metrics in memory."""
    for number in (1, 2):
        run.add_metric(number)
    assert equities(read(run)) == [2, 1]
    return run


def test_a_pushed_row_is_there(warm: Run, redis_client: Any) -> None:
    push(warm.add_metric(3))

    assert redis_client.llen(list_key(warm)) == 3
    assert equities(read(warm)) == [3, 2, 1]


def test_a_push_that_never_came_is_noticed(warm: Run) -> None:
    warm.add_metric(3)

    assert equities(read(warm)) == [3, 2, 1]


def test_a_push_to_a_cold_cache_is_no_whole_list(run: Run) -> None:
    run.add_metric(1)
    push(run.add_metric(2))

    assert equities(read(run)) == [2, 1]


def test_a_row_that_was_filled_before_its_push_is_there_once(warm: Run) -> None:
    late = warm.add_metric(3)
    assert equities(read(warm)) == [3, 2, 1]
    push(late)

    assert equities(read(warm)) == [3, 2, 1]


def test_rows_pushed_out_of_order_stand_in_order(warm: Run) -> None:
    third, fourth = warm.add_metric(3), warm.add_metric(4)
    push(fourth)
    push(third)

    assert equities(read(warm)) == [4, 3, 2, 1]


def test_a_filler_that_read_too_early_stores_nothing(run: Run, redis_client: Any) -> None:
    first = run.add_metric(1)

    def load(limit: int, offset: int) -> list[dict[str, Any]]:
        rows = [metric_object(first)]
        # Another process commits and pushes while this one has read the database already.
        push(run.add_metric(2))
        return rows

    page = cache.read_page(cache.METRICS, run.challenge.pk, limit=9, offset=0, count=1, load=load)

    assert [row["id"] for row in page.rows] == [first.pk]
    assert redis_client.llen(list_key(run)) == 0
    assert equities(read(run)) == [2, 1]


def test_a_lost_cache_changes_nothing(warm: Run, redis_client: Any) -> None:
    before = read(warm)
    redis_client.flushall()

    assert read(warm) == before


def test_a_cleared_cache_is_filled_again(warm: Run, redis_client: Any) -> None:
    MetricSnapshot.objects.all().delete()
    cache.clear(warm.challenge.pk)

    assert redis_client.llen(list_key(warm)) == 0
    assert read(warm) == {"rows": [], "count": 0}


def test_the_drawdown_of_an_ended_phase_is_the_deepest_fall_from_a_peak_of_its_metrics(
    run: Run,
) -> None:
    for number in (300, 120, 450, 40, 200):
        run.add_metric(number)
    run.end(3)
    phase = ChallengePhase.objects.get()
    FirmAccount.objects.update(max_drawdown=Decimal(9000))
    statistics = read_statistics(wallet_id=phase.account_login, phase=phase)
    assert statistics is not None
    assert statistics.largest_drawdown == Decimal(410)


def test_the_drawdown_of_a_running_phase_is_its_accounts(run: Run) -> None:
    FirmAccount.objects.update(max_drawdown=Decimal("121.52"))
    statistics = read_statistics(wallet_id=run.phase.account_login, phase=run.phase)
    assert statistics is not None
    assert statistics.largest_drawdown == Decimal("121.52")


def test_a_day_ends_where_the_next_one_began(run: Run) -> None:
    first = DailySnapshot.objects.get()
    DailySnapshot.objects.update(current_equity=Decimal(9895))
    DailySnapshot.objects.create(
        challenge=run.challenge,
        phase=run.phase,
        local_date=first.local_date + timedelta(days=1),
        daily_start_balance=Decimal(10000),
        daily_start_equity=Decimal(9946),
        current_balance=Decimal(10000),
        current_equity=Decimal(9990),
        min_equity=Decimal(9946),
        max_equity=Decimal(9990),
        created_at=NOW + timedelta(days=1),
        updated_at=NOW + timedelta(days=1),
    )
    days = [first.local_date, first.local_date + timedelta(days=1)]
    pages = [
        read_day_page(
            challenge=run.challenge,
            day=day,
            viewer_zone=ZoneInfo("UTC"),
            now=NOW + timedelta(days=1, hours=1),
        )
        for day in days
    ]
    assert [page.result for page in pages] == [Decimal(-54), Decimal(44)]
