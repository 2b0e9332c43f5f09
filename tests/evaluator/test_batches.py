"""Many read-only jobs and events at once: as one by one, whatever is bad, busy or killed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection, transaction

from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import enter_building
from prop.evaluator.shard import Shard
from prop.models import Job, JobKind, PropEvent, RuleBreach
from prop.services import job_handlers, jobs
from prop.services.following import make_job
from prop.services.job_handlers import Handler
from prop.services.jobs import run_due_jobs
from tenants.office.models import WebhookEvent
from tests.evaluator import build
from tests.evaluator.build import NOW
from tests.prop.test_killed_activation import was_killed
from tests.support.exchange import Trader, make_market, set_book
from trading.models import Order
from trading.services.refusals import AccountReadOnly
from wallets.models import FirmAccount, Wallet
from wallets.selectors import check_conservation
from wallets.services import lock_user

LATER = NOW + timedelta(seconds=130)


def trader_of(challenge) -> Trader:
    wallet = Wallet.objects.get(pk=build.phase_of(challenge).account_login)
    return Trader(challenge.customer, wallet, "alpha")


def failing(count, *, orders=1):
    """Challenges that just failed, each with resting orders; their jobs are queued."""
    market = make_market(fee_rate="0")
    set_book(market, bids=[("0.48", 10_000)], asks=[("0.50", 10_000)], now=NOW)
    challenges = [build.start() for _ in range(count)]
    for challenge in challenges:
        for _ in range(orders):
            rest_order(challenge, market)
        build.fail(challenge)
    return challenges


def rest_order(challenge, market):
    body = {"order_type": "limit", "quantity": "10", "price": "0.40"}
    return trader_of(challenge).place(market, "BUY", now=NOW, **body)


def what_became_of(challenge):
    """Everything that the jobs of a failure leave behind, without ids."""
    phase = build.phase_of(challenge)
    wallet = Wallet.objects.get(pk=phase.account_login)
    event = PropEvent.objects.get(challenge=challenge)
    sent = WebhookEvent.objects.get(data__challenge_id=challenge.pk)
    assert sent.data == event.data
    assert event.key == f"event:prop.challenge.failed:{phase.pk}"
    assert event.data["account_login"] == phase.account_login
    orders = Order.objects.filter(wallet=wallet).values_list("status", "cancelled_reason")
    work = Job.objects.filter(challenge=challenge).order_by("pk")
    named = ("challenge_id", "purchase_id", "program_id", "customer_id", "account_login")
    return {
        "wallet": (wallet.trading_state, wallet.balance, wallet.reserved),
        "reason": FirmAccount.objects.get(pk=wallet.pk).read_only_reason,
        "orders": list(orders),
        "jobs": list(work.values_list("kind", "status", "attempts", "last_error", "locked_until")),
        "event": {name: value for name, value in event.data.items() if name not in named},
        "type": (event.event, sent.type, event.created_at, sent.occurred_at),
        "customer": event.customer_id == challenge.customer_id,
    }


@pytest.mark.usefixtures("in_alpha")
def test_a_batch_leaves_what_jobs_one_by_one_leave(monkeypatch):
    together = failing(4, orders=2)
    assert build.run_jobs().done == 8
    single = failing(4, orders=2)
    for kind in (JobKind.READ_ONLY, JobKind.EVENT):
        alone = Handler(job_handlers.HANDLERS[kind].work)
        monkeypatch.setitem(job_handlers.HANDLERS, kind, alone)
    assert build.run_jobs().done == 8

    expected = what_became_of(single[0])
    assert expected["wallet"] == ("READ_ONLY", 9000, 0)
    assert expected["orders"] == [("CANCELLED", "account_read_only")] * 2
    assert expected["reason"] == "Challenge failed on 2 March: total loss"
    for challenge in (*together, *single):
        assert what_became_of(challenge) == expected
    assert check_conservation().is_sound


@pytest.mark.usefixtures("in_alpha")
@pytest.mark.parametrize("count", [2, 12])
def test_statements_do_not_grow_with_the_jobs(count, django_assert_max_num_queries):
    failing(count)
    with django_assert_max_num_queries(36):
        assert run_due_jobs(now=NOW).done == count
        assert run_due_jobs(now=NOW).done == count
    assert Wallet.objects.filter(trading_state="READ_ONLY").count() == count
    assert PropEvent.objects.count() == count


@pytest.mark.usefixtures("in_alpha")
def test_a_closed_account_in_a_batch_stays_closed():
    first, second = failing(2, orders=0)
    closed = build.phase_of(first).account_login
    Wallet.objects.filter(pk=closed).update(trading_state="CLOSED")
    build.run_jobs()
    assert Wallet.objects.get(pk=closed).trading_state == "CLOSED"
    assert FirmAccount.objects.get(pk=closed).read_only_reason == ""
    assert trader_of(second).wallet.trading_state == "READ_ONLY"
    assert PropEvent.objects.count() == 2


@pytest.mark.usefixtures("in_alpha")
def test_a_job_of_no_phase_fails_alone():
    failing(5)
    bad = make_job(
        kind=JobKind.READ_ONLY,
        key="read_only:0",
        challenge=None,
        now=NOW,
        payload={"phase": 0, "reason": ""},
    )
    bad.save()
    report = run_due_jobs(now=NOW)
    assert (report.done, report.failed) == (5, 1)
    bad.refresh_from_db()
    assert (bad.status, bad.attempts) == ("queued", 1)
    assert "DoesNotExist" in bad.last_error


@pytest.mark.usefixtures("in_alpha")
@pytest.mark.parametrize("bad", [0, 3, 6])
def test_a_bad_event_is_found_by_halving_and_holds_no_other(bad):
    challenges = failing(7)
    run_due_jobs(now=NOW)
    RuleBreach.objects.filter(challenge=challenges[bad]).delete()
    report = run_due_jobs(now=NOW)
    assert (report.done, report.failed) == (6, 1)
    assert PropEvent.objects.count() == WebhookEvent.objects.filter(type__startswith="prop").count()
    assert PropEvent.objects.count() == 6
    job = Job.objects.exclude(status="done").get()
    assert (job.challenge_id, job.kind, job.attempts) == (challenges[bad].pk, "event", 1)


@pytest.mark.usefixtures("in_alpha")
def test_a_batch_that_was_done_before_tells_nothing_again():
    failing(3)
    build.run_jobs()
    Job.objects.update(status="queued", attempts=0)
    assert build.run_jobs().failed == 0
    assert PropEvent.objects.count() == 3
    assert WebhookEvent.objects.filter(type="prop.challenge.failed").count() == 3


@pytest.mark.usefixtures("in_alpha")
def test_jobs_of_a_batch_taken_over_meanwhile_are_left_to_the_other_worker(monkeypatch):
    first, second = failing(2)
    handler = job_handlers.HANDLERS[JobKind.READ_ONLY]
    worked = []

    def claimed_by_another(now, kinds, limit, *, claim=jobs._claim):
        claimed = claim(now, kinds, limit)
        Job.objects.filter(challenge=first, kind="read_only").update(attempts=2)
        return claimed

    def work_many(mine, now):
        worked.extend(job.challenge_id for job in mine)
        return handler.work_many(mine, now)

    watched = Handler(handler.work, work_many=work_many)
    monkeypatch.setitem(job_handlers.HANDLERS, JobKind.READ_ONLY, watched)
    monkeypatch.setattr(jobs, "_claim", claimed_by_another)
    report = run_due_jobs(now=NOW)
    assert (report.done, report.waiting) == (1, 1)
    assert worked == [second.pk]
    assert Job.objects.get(challenge=first, kind="read_only").status == "running"
    assert trader_of(first).wallet.trading_state == "OPEN"


@pytest.mark.usefixtures("in_alpha")
def test_the_pass_that_decides_ends_trading_and_tells_without_a_worker():
    challenges = [build.start() for _ in range(3)]
    for challenge in challenges[:2]:
        build.set_cash(challenge.account_login, "9000")
    shard = Shard(0, list_firms=lambda: ["alpha"])
    try:
        assert shard.evaluate_all(now=NOW).decided == 2
    finally:
        shard.close()
    states = [trader_of(each).wallet.trading_state for each in challenges]
    assert states == ["READ_ONLY", "READ_ONLY", "OPEN"]
    assert PropEvent.objects.count() == 2
    assert not Job.objects.exclude(status="done").exists()


@pytest.mark.usefixtures("in_alpha")
def test_the_pass_leaves_slow_jobs_to_the_workers():
    challenge = build.start(build.program(on_fail="liquidate"))
    build.set_cash(challenge.account_login, "9000")
    shard = Shard(0, list_firms=lambda: ["alpha"])
    try:
        shard.evaluate_all(now=NOW)
    finally:
        shard.close()
    assert list(Job.objects.exclude(status="done").values_list("kind", flat=True)) == ["liquidate"]
    build.run_jobs()
    assert not Job.objects.exclude(status="done").exists()


@pytest.mark.django_db(transaction=True)
def test_a_busy_trader_holds_up_no_other(alpha, settings):
    """Whose lock is held is waited for alone, after the others are done."""
    with enter_building("alpha"):
        challenges = failing(4)
        busy = challenges[1]
    is_held, is_over = threading.Event(), threading.Event()

    def hold():
        try:
            with enter_building("alpha"), transaction.atomic():
                lock_user(user_id=busy.customer_id)
                is_held.set()
                assert is_over.wait(30)
        finally:
            connection.close()

    settings.LOCK_WAIT_MS = 100
    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(hold)
        try:
            assert is_held.wait(30)
            with enter_building("alpha"):
                report = run_due_jobs(now=NOW)
                assert (report.done, report.failed) == (3, 1)
                states = [trader_of(each).wallet.trading_state for each in challenges]
                assert states == ["READ_ONLY", "OPEN", "READ_ONLY", "READ_ONLY"]
        finally:
            is_over.set()
        holder.result()
    with enter_building("alpha"):
        assert "TradeInProgress" in Job.objects.get(challenge=busy, kind="read_only").last_error
        build.run_jobs(LATER)
        assert trader_of(busy).wallet.trading_state == "READ_ONLY"
        assert not Job.objects.exclude(status="done").exists()


@pytest.mark.django_db(transaction=True)
def test_an_order_racing_the_batch_is_booked_before_or_refused(alpha):
    with enter_building("alpha"):
        market = make_market(fee_rate="0")
        set_book(market, bids=[("0.48", 10_000)], asks=[("0.50", 10_000)], now=NOW)
        challenges = failing(3, orders=0)
    gate = threading.Barrier(4)

    def place(challenge):
        placed = 0
        try:
            with enter_building("alpha"):
                gate.wait()
                for _ in range(200):
                    rest_order(challenge, market)
                    placed += 1
        except AccountReadOnly:
            return placed
        except PolysimError as error:
            pytest.fail(f"{error.code} after {placed} orders")
        finally:
            connection.close()
        pytest.fail("the account never became read-only")

    def run(_):
        try:
            gate.wait()
            with enter_building("alpha"):
                build.run_jobs()
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        orders = [pool.submit(place, challenge) for challenge in challenges]
        pool.submit(run, None).result()
        counts = [order.result() for order in orders]

    with enter_building("alpha"):
        assert not Job.objects.exclude(status="done").exists()
        assert not Order.objects.filter(status="PENDING").exists()
        assert Order.objects.filter(cancelled_reason="account_read_only").count() == sum(counts)
        for challenge in challenges:
            wallet = trader_of(challenge).wallet
            assert (wallet.trading_state, wallet.reserved) == ("READ_ONLY", 0)
        assert check_conservation().is_sound


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_batch_killed_before_any_statement_is_done_once(alpha):
    for at in range(1, 120):
        with enter_building("alpha"):
            challenges = failing(3)
        is_killed = was_killed(build.run_jobs, at=at)
        with enter_building("alpha"):
            build.run_jobs(LATER)
            assert not Job.objects.exclude(status="done").exists()
            for challenge in challenges:
                event = PropEvent.objects.get(challenge=challenge)
                sent = WebhookEvent.objects.filter(data__challenge_id=challenge.pk)
                assert [row.data for row in sent] == [event.data]
                wallet = trader_of(challenge).wallet
                assert (wallet.trading_state, wallet.reserved) == ("READ_ONLY", 0)
            assert not Order.objects.filter(status="PENDING").exists()
            assert check_conservation().is_sound
        if not is_killed:
            break
    assert at > 20
