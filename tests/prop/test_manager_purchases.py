"""Purchases, challenges, payouts and jobs in the hands of staff (prop-backoffice 4.1 to 4.5)."""

from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.redis import get_redis
from polysim.kernel.tenancy import enter_building
from prop.models import (
    Challenge,
    ChallengePhase,
    DailySnapshot,
    Job,
    JobKind,
    JobStatus,
    MetricSnapshot,
    Payout,
    PayoutStatus,
    Program,
    PropEvent,
    Purchase,
    RuleBreach,
    Step,
    Verdict,
)
from tenants.office.models import FirmAuditEntry
from tests.evaluator import build
from tests.prop.catalogue import NOW, make_program
from tests.prop.staff import ManagerDoor
from tests.prop.trader import PropDoor, balance_of, make_customer, make_payer
from tests.support.exchange import make_market, set_book
from trading.models import Order
from wallets.models import LedgerEntry, Wallet

pytestmark = pytest.mark.django_db
RUNTIME = (
    Challenge,
    ChallengePhase,
    DailySnapshot,
    MetricSnapshot,
    RuleBreach,
    Verdict,
    Job,
    PropEvent,
    Purchase,
)


@pytest.fixture
def challenge(alpha: Any) -> Challenge:
    """A running challenge at alpha."""
    with enter_building("alpha"):
        return build.start()


@pytest.fixture
def door(alpha: Any) -> ManagerDoor:
    """An owner."""
    return ManagerDoor()


def make_purchase(**fields: Any) -> Purchase:
    """A purchase without a challenge, pending."""
    with enter_building("alpha"):
        values = {
            "program": make_program(),
            "customer": make_customer(),
            "payer_login": 7,
            "amount": Decimal("99"),
            "currency": "USD",
            "amount_account_currency": Decimal("99"),
            "created_at": NOW,
            "updated_at": NOW,
            **fields,
        }
        return Purchase.objects.create(**values)


def test_the_five_lifecycle_fields_are_labels(door: ManagerDoor) -> None:
    purchase = make_purchase()
    changed = door.run(
        "MngUpdatePropPurchase",
        id=purchase.pk,
        status=4,
        payment_status="failed",
        activation_status="failed",
        failure_reason="MANUAL_REVIEW_FAILED",
        comment="Looked at by hand",
    )["purchase"]
    assert (changed["status"], changed["status_name"]) == (4, "failed")
    assert (changed["next_action"], changed["can_retry"]) == ("CONTACT_SUPPORT", False)
    assert changed["comment"] == "Looked at by hand"
    assert changed["account_login"] == 0
    one = door.run("MngUpdatePropPurchase", id=purchase.pk, failure_reason="NOT_ENOUGH_FUNDS")
    assert (one["purchase"]["next_action"], one["purchase"]["can_retry"]) == ("RETRY_PAYMENT", True)
    assert one["purchase"]["payment_status"] == "failed"
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.order_by("id").first()
    assert (entry.action, entry.before["status"], entry.after["status"]) == (
        "prop.purchase.updated",
        0,
        4,
    )


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ({}, "INVALID_PARAMS"),
        ({"amount": 5}, "INVALID_PARAMS"),
        ({"status": 4, "account_login": 9}, "INVALID_PARAMS"),
        ({"status": 6}, "INVALID_DATA"),
        ({"status": "4"}, "INVALID_DATA"),
        ({"payment_status": "maybe"}, "INVALID_DATA"),
        ({"activation_status": 1}, "INVALID_DATA"),
        ({"failure_reason": "lower case"}, "INVALID_DATA"),
        ({"failure_reason": "A" * 65}, "INVALID_DATA"),
        ({"comment": "c" * 256}, "INVALID_DATA"),
    ],
)
def test_other_fields_and_wrong_values_are_refused(
    door: ManagerDoor, data: Any, error: str
) -> None:
    purchase = make_purchase()
    answer = door.command("MngUpdatePropPurchase", {"id": purchase.pk, **data})
    assert (answer["status"], answer["error"]) == (400, error)


@pytest.mark.parametrize("former", range(6))
@pytest.mark.parametrize("later", range(6))
def test_refunded_is_final_and_active_needs_a_challenge(
    door: ManagerDoor, former: int, later: int
) -> None:
    purchase = make_purchase(status=former)
    answer = door.command("MngUpdatePropPurchase", {"id": purchase.pk, "status": later})
    is_refused = former != later and (former == 5 or later == 3)
    assert answer["status"] == (409 if is_refused else 200)
    if is_refused:
        assert (answer["error"], answer["code"]) == ("STATE_CONFLICT", 14)


def test_a_purchase_with_a_challenge_may_be_labelled_active(
    door: ManagerDoor, challenge: Challenge
) -> None:
    door.run("MngUpdatePropPurchase", id=challenge.purchase_id, status=4)
    door.run("MngUpdatePropPurchase", id=challenge.purchase_id, status=3)
    assert door.run("MngGetPropChallenge", id=challenge.pk)["challenge"]["status"] == 1


@pytest.mark.parametrize("status", range(6))
def test_a_purchase_without_a_challenge_is_deleted_in_any_state(
    door: ManagerDoor, status: int
) -> None:
    purchase = make_purchase(status=status)
    found = door.run("MngDeletePropPurchase", id=purchase.pk)
    assert found == {"deleted": {"purchases": 1, "challenges": 0}}
    assert door.refuse("MngGetPropPurchase", {"id": purchase.pk})[1] == "NOT_FOUND"


@pytest.mark.parametrize("status", range(6))
def test_a_purchase_with_a_challenge_goes_only_when_failed_or_refunded(
    door: ManagerDoor, challenge: Challenge, status: int
) -> None:
    with enter_building("alpha"):
        Purchase.objects.update(status=status)
    if status not in (4, 5):
        found = door.refuse("MngDeletePropPurchase", {"id": challenge.purchase_id})
        assert found == (409, "PURCHASE_LINKED", 14)
        return
    found = door.run("MngDeletePropPurchase", id=challenge.purchase_id)
    assert found == {"deleted": {"purchases": 1, "challenges": 1}}
    with enter_building("alpha"):
        assert not any(model.objects.exists() for model in RUNTIME)
        wallet = Wallet.objects.get(pk=challenge.account_login)
    assert wallet.trading_state == "READ_ONLY"


def test_deleting_a_program_takes_everything_but_accounts_ledger_and_payouts(
    door: ManagerDoor, django_capture_on_commit_callbacks: Any
) -> None:
    with enter_building("alpha"):
        program = build.program()
        running, failed = build.start(program), build.start(program)
        build.fail(failed)
        keep = build.start()
        payout = Payout.objects.create(
            challenge=failed,
            phase=build.phase_of(failed),
            program=program,
            customer_id=failed.customer_id,
            funded_login=failed.account_login,
            profit=Decimal("10"),
            profit_split=Decimal("0.8"),
            currency="USD",
            created_at=NOW,
            updated_at=NOW,
        )
        entries = LedgerEntry.objects.count()
        metrics = MetricSnapshot.objects.filter(challenge__program=program).count()
        snapshots = DailySnapshot.objects.filter(challenge__program=program).count()
    before = door.run("MngGetPropProgram", id=program.pk)["counts"]
    assert before == {"purchases": 2, "challenges": 2, "active_challenges": 1}
    door.run("MngGetPropChallengeMetrics", id=failed.pk)
    assert get_redis().keys("*metrics*")
    with django_capture_on_commit_callbacks(execute=True):
        deleted = door.run("MngDeletePropProgram", id=program.pk)["deleted"]
    assert deleted == {
        "programs": 1,
        "phases": 1,
        "purchases": 2,
        "challenges": 2,
        "challenge_phases": 2,
        "daily_snapshots": snapshots,
        "rule_breaches": 2,
        "metric_snapshots": metrics,
    }
    with enter_building("alpha"):
        assert list(Program.objects.values_list("pk", flat=True)) == [keep.program_id]
        assert list(Challenge.objects.values_list("pk", flat=True)) == [keep.pk]
        assert not Job.objects.filter(challenge__isnull=False).exclude(challenge=keep).exists()
        assert not Step.objects.filter(program_id=program.pk).exists()
        payout.refresh_from_db()
        assert (payout.challenge_id, payout.phase_id, payout.program_id) == (None, None, None)
        assert LedgerEntry.objects.count() == entries
        states = Wallet.objects.in_bulk(
            [running.account_login, failed.account_login, keep.account_login]
        )
    assert states[running.account_login].trading_state == "READ_ONLY"
    assert states[keep.account_login].trading_state == "OPEN"
    lists = [name for name in get_redis().keys("*metrics*") if not name.endswith(":state")]
    assert lists == []


def test_orders_of_a_deleted_programs_accounts_are_cancelled(
    door: ManagerDoor, challenge: Challenge
) -> None:
    from tests.support.exchange import Trader

    market = make_market()
    set_book(market, asks=[("0.65", 100)], bids=[("0.60", 100)], now=NOW)
    with enter_building("alpha"):
        wallet = Wallet.objects.get(pk=challenge.account_login)
        trader = Trader(challenge.customer, wallet, "alpha")
    trader.place(market, "BUY", quantity="10", price="0.50", order_type="limit")
    door.run("MngDeletePropProgram", id=challenge.program_id)
    with enter_building("alpha"):
        order = Order.objects.get()
    assert (order.status, order.cancelled_reason) == ("CANCELLED", "account_read_only")
    assert trader.reserved == 0


def test_staff_read_a_challenge_with_everything(door: ManagerDoor, challenge: Challenge) -> None:
    with enter_building("alpha"):
        build.fail(challenge)
    found = door.run("MngGetPropChallenge", id=challenge.pk)
    assert set(found) == {
        "challenge",
        "purchase",
        "program",
        "phases",
        "current_phase",
        "latest_metric",
        "latest_breach",
    }
    assert found["challenge"]["status_name"] == "failed"
    assert found["challenge"]["account_id"]
    assert found["latest_breach"]["rule"] == "max_total_loss_pct"
    assert found["current_phase"]["status"] == 3
    metrics = door.run("MngGetPropChallengeMetrics", id=challenge.pk)
    assert metrics["count"] == len(metrics["rows"]) > 0
    breaches = door.run("MngGetPropChallengeBreaches", id=challenge.pk, phase_index=1, limit=1)
    assert (len(breaches["rows"]), breaches["count"]) == (1, 2)
    assert door.run("MngGetPropChallengeBreaches", id=challenge.pk, phase_index=2)["count"] == 0
    for wrong in ({"limit": 0}, {"limit": 1001}, {"offset": -1}, {"phase_index": "1"}):
        data = {"id": challenge.pk, **wrong}
        assert door.refuse("MngGetPropChallengeMetrics", data)[1] == "INVALID_DATA"


def test_cancel_then_reset(door: ManagerDoor, challenge: Challenge) -> None:
    assert door.refuse("MngCancelPropChallenge", {"id": challenge.pk})[1] == "INVALID_PARAMS"
    data = {"id": challenge.pk, "reason": "r" * 256}
    assert door.refuse("MngCancelPropChallenge", data)[1] == "INVALID_DATA"
    assert door.refuse("MngResetPropChallenge", {"id": challenge.pk, "reason": "x"}) == (
        409,
        "STATE_CONFLICT",
        14,
    )
    cancelled = door.run("MngCancelPropChallenge", id=challenge.pk, reason="Asked for")["challenge"]
    assert (cancelled["status"], cancelled["cancel_reason"]) == (4, "Asked for")
    again = {"id": challenge.pk, "reason": "Twice"}
    assert door.refuse("MngCancelPropChallenge", again)[:2] == (409, "STATE_CONFLICT")
    fresh = door.run("MngResetPropChallenge", id=challenge.pk, reason="Second try")["challenge"]
    assert (fresh["attempt"], fresh["status"], fresh["current_phase_index"]) == (2, 1, 1)
    assert fresh["account_login"] != challenge.account_login
    found = door.run("MngGetPropPurchase", id=challenge.purchase_id)
    assert [one["attempt"] for one in found["challenges"]] == [2, 1]


def test_only_an_active_funded_phase_is_closed(door: ManagerDoor, challenge: Challenge) -> None:
    found = door.refuse("MngClosePropFundedPhase", {"id": challenge.pk})
    assert found[:2] == (409, "STATE_CONFLICT")


def test_a_granted_challenge_costs_nothing(door: ManagerDoor) -> None:
    with enter_building("alpha"):
        program, customer = make_program(), make_customer()
    found = door.run(
        "MngGrantPropChallenge", customer_id=customer.pk, program_id=program.pk, comment="Prize"
    )
    purchase = found["purchase"]
    assert (purchase["amount"], purchase["payer_login"], purchase["status"]) == (0, 0, 3)
    assert (purchase["payment_status"], purchase["comment"]) == ("paid", "PROP_CHALLENGE_GRANTED")
    assert found["challenges"][0]["status"] == 1
    stranger = {"customer_id": 2**40, "program_id": program.pk}
    assert door.refuse("MngGrantPropChallenge", stranger)[:2] == (404, "NOT_FOUND")
    assert door.refuse("MngGrantPropChallenge")[1] == "INVALID_PARAMS"


def test_refund_and_retry(door: ManagerDoor, challenge: Challenge) -> None:
    pending = make_purchase()
    assert door.refuse("MngRetryPropPurchase", {"id": pending.pk})[0] == 409
    assert door.refuse("MngRefundPropPurchase", {"id": pending.pk})[:2] == (409, "STATE_CONFLICT")
    assert door.refuse("MngRefundPropPurchase", {"id": 404})[1] == "NOT_FOUND"


def test_a_refund_gives_the_fee_back_and_ends_the_challenge(door: ManagerDoor) -> None:
    with enter_building("alpha"):
        program, customer = make_program(), make_customer()
        login = make_payer(customer, "250").pk
    bought = PropDoor(customer).buy(program.pk, login).json()
    assert balance_of(login) == Decimal("151")
    refunded = door.run("MngRefundPropPurchase", id=bought["purchase"]["id"])["purchase"]
    assert (refunded["status"], refunded["payment_status"]) == (5, "refunded")
    assert balance_of(login) == Decimal("250")
    found = door.run("MngGetPropChallenge", id=bought["challenge"]["id"])
    assert found["challenge"]["status_name"] == "cancelled"
    again = door.refuse("MngRefundPropPurchase", {"id": bought["purchase"]["id"]})
    assert again == (409, "STATE_CONFLICT", 14)
    assert balance_of(login) == Decimal("250")
    gone = door.run("MngDeletePropPurchase", id=bought["purchase"]["id"])
    assert gone == {"deleted": {"purchases": 1, "challenges": 1}}


def test_terms_of_a_bought_challenge_outlive_changes_of_its_program(
    door: ManagerDoor, challenge: Challenge
) -> None:
    before = door.run("MngGetPropChallenge", id=challenge.pk)["program"]
    step = {
        "phase_index": 1,
        "name": "Harder",
        "account_group": before["steps"][0]["account_group"],
        "profit_target_pct": 99,
    }
    door.run("MngUpdatePropProgram", id=challenge.program_id, name="Renamed", steps=[step])
    assert door.run("MngGetPropChallenge", id=challenge.pk)["program"] == before


def test_money_on_a_payer_account(door: ManagerDoor, challenge: Challenge) -> None:
    with enter_building("alpha"):
        login = make_payer(make_customer(), "250").pk
    added = door.run(
        "MngAddBalance", login=login, amount=50.25, comment="Bonus", idempotency_key="k-1"
    )
    assert (added["login"], added["balance"]) == (login, 300.25)
    again = {"login": login, "amount": 50.25, "comment": "Bonus", "idempotency_key": "k-1"}
    assert door.run("MngAddBalance", **again)["entry_id"] == added["entry_id"]
    assert balance_of(login) == Decimal("300.25")
    rest = door.send(
        "POST", f"accounts/{login}/balance", {"amount": -300.25, "idempotency_key": "k-2"}
    )
    assert rest.json()["balance"] == 0.0
    too_much = {"login": login, "amount": -0.01, "idempotency_key": "k-3"}
    assert door.refuse("MngAddBalance", too_much) == (409, "NOT_ENOUGH_FUNDS", 14)
    locked = {"login": challenge.account_login, "amount": 1, "idempotency_key": "k-4"}
    assert door.refuse("MngAddBalance", locked) == (409, "PROP_ACCOUNT_LOCKED", 14)
    other = {"login": login, "amount": 1, "idempotency_key": "k-1"}
    assert door.refuse("MngAddBalance", other)[:2] == (409, "IDEMPOTENCY_KEY_REUSE")
    for wrong in (0, 0.001, "5", 10**13):
        data = {"login": login, "amount": wrong, "idempotency_key": "k-5"}
        assert door.refuse("MngAddBalance", data) == (400, "INVALID_DATA", 3)
    assert door.refuse("MngAddBalance", {"login": login, "amount": 1})[1] == "INVALID_PARAMS"
    unknown = {"login": 2**60, "amount": 1, "idempotency_key": "k-6"}
    assert door.refuse("MngAddBalance", unknown)[1] == "NOT_FOUND"


def test_a_payout_is_approved_or_rejected_once(door: ManagerDoor) -> None:
    with enter_building("alpha"):
        first, second = (
            Payout.objects.create(
                customer=make_customer(),
                funded_login=5,
                profit=Decimal("100"),
                profit_split=Decimal("0.8"),
                amount=Decimal("80"),
                firm_amount=Decimal("20"),
                currency="USD",
                status=PayoutStatus.PENDING,
                created_at=NOW,
                updated_at=NOW,
            )
            for _ in range(2)
        )
    approved = door.run("MngApprovePropPayout", id=first.pk)["payout"]
    assert (approved["status"], approved["decided_by"]) == (1, door.user.pk)
    assert door.refuse("MngRejectPropPayout", {"id": second.pk})[1] == "INVALID_PARAMS"
    rejected = door.run("MngRejectPropPayout", id=second.pk, reason="Broke the rules")["payout"]
    assert (rejected["status"], rejected["reason"]) == (3, "Broke the rules")
    for payout in (first, second):
        found = door.refuse("MngApprovePropPayout", {"id": payout.pk})
        assert found == (409, "STATE_CONFLICT", 14)


def test_a_failed_job_is_queued_again(door: ManagerDoor) -> None:
    with enter_building("alpha"):
        job = Job.objects.create(
            kind=JobKind.READ_ONLY,
            key="read_only:1",
            status=JobStatus.FAILED,
            attempts=10,
            run_after=NOW,
            created_at=NOW,
            updated_at=NOW,
        )
    queued = door.run("MngRetryPropJob", id=job.pk)["job"]
    assert (queued["status"], queued["attempts"]) == ("queued", 0)
    assert door.refuse("MngRetryPropJob", {"id": job.pk})[:2] == (409, "STATE_CONFLICT")
    assert door.refuse("MngRetryPropJob", {"id": 404})[1] == "NOT_FOUND"


def test_what_belongs_to_alpha_does_not_exist_for_beta(
    door: ManagerDoor, challenge: Challenge, beta: Any
) -> None:
    stranger = ManagerDoor(schema="beta")
    for name, data in (
        ("MngGetPropChallenge", {"id": challenge.pk}),
        ("MngGetPropChallengeMetrics", {"id": challenge.pk}),
        ("MngCancelPropChallenge", {"id": challenge.pk, "reason": "x"}),
        ("MngGetPropPurchase", {"id": challenge.purchase_id}),
        ("MngUpdatePropPurchase", {"id": challenge.purchase_id, "status": 4}),
        ("MngDeletePropPurchase", {"id": challenge.purchase_id}),
        ("MngRefundPropPurchase", {"id": challenge.purchase_id}),
        (
            "MngAddBalance",
            {"login": challenge.account_login, "amount": 1, "idempotency_key": "k"},
        ),
    ):
        assert stranger.refuse(name, data) == (404, "NOT_FOUND", 23), name
    assert stranger.run("MngGetPropChallangesByFilter", limit=5, offset=0)["count"] == 0
    assert door.run("MngGetPropChallenge", id=challenge.pk)["challenge"]["status"] == 1
