"""Payouts of funded phases: amounts, approval, four eyes, waiting, once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from polysim.kernel.errors import NotFound
from prop.errors import StateConflict
from prop.models import Job, Payout, PayoutStatus, PropEvent, PropSettings
from prop.services.challenge_control import close_funded_phase
from prop.services.payouts import (
    SecondApprovalNeeded,
    approve_payout,
    book_payout,
    reject_payout,
)
from tests.evaluator import build
from tests.evaluator.build import NOW
from tests.evaluator.test_worked_examples import hold
from tests.support.exchange import set_book
from wallets.models import LedgerEntry, LedgerTransaction, Wallet
from wallets.selectors import check_conservation

pytestmark = pytest.mark.usefixtures("in_alpha")


def ended(cash, *, has_payer=True, now=NOW, step=None, **fields):
    """A funded challenge at this balance that staff closed; its jobs have run."""
    step = {**build.FUNDED, "min_trading_days": 0, **(step or {})}
    challenge = build.start(build.program(step, deposit="100000", **fields), has_payer=has_payer)
    build.set_cash(build.phase_of(challenge).account_login, cash)
    close_funded_phase(challenge_id=challenge.pk, actor=build.staff(), now=now)
    build.run_jobs(now)
    return challenge


@pytest.mark.parametrize(
    ("cash", "status", "reason"),
    [
        ("100000", PayoutStatus.SKIPPED, "NO_PROFIT"),
        ("99999.99", PayoutStatus.SKIPPED, "NO_PROFIT"),
        ("100000.01", PayoutStatus.PAID, ""),
    ],
)
def test_only_profit_is_paid(cash, status, reason):
    challenge = ended(cash)
    payout = Payout.objects.get()
    assert (payout.status, payout.reason) == (status, reason)
    assert build.challenge_now(challenge).status == 2
    passed = PropEvent.objects.get(event="prop.challenge.passed")
    assert passed.data["payout_id"] == payout.pk


def test_a_profit_of_one_cent_goes_to_the_firm():
    ended("100000.01")
    payout = Payout.objects.get()
    assert (payout.amount, payout.firm_amount) == (0, Decimal("0.01"))
    kinds = LedgerTransaction.objects.filter(reference__startswith="payout:")
    assert sorted(kinds.values_list("type", flat=True)) == [
        "PROP_FIRM_SHARE",
        "PROP_PROFIT_WITHDRAWAL",
    ]


@pytest.mark.parametrize(
    ("split", "amount", "firm"),
    [
        ("0", "0", "4321.57"),
        ("0.8", "3457.25", "864.32"),
        ("0.755555", "3265.18", "1056.39"),
        ("1", "4321.57", "0"),
    ],
)
def test_the_split_is_rounded_down_and_loses_nothing(split, amount, firm):
    ended("104321.57", step={"profit_split": Decimal(split)})
    payout = Payout.objects.get()
    assert (payout.amount, payout.firm_amount) == (Decimal(amount), Decimal(firm))
    assert payout.status == PayoutStatus.PAID
    assert sum(LedgerEntry.objects.filter(account="PAYOUTS").values_list("amount", flat=True)) == 0
    assert check_conservation().entries_total == 0


def test_too_few_trading_days_are_not_paid():
    ended("104321.57", step={"min_trading_days": 1})
    payout = Payout.objects.get()
    assert (payout.status, payout.reason) == (PayoutStatus.SKIPPED, "MIN_TRADING_DAYS")
    assert (payout.amount, payout.firm_amount) == (0, 0)


def test_a_failed_funded_phase_is_not_paid():
    step = {**build.FUNDED, "max_total_loss_pct": 10}
    challenge = build.start(build.program(step), has_payer=True)
    build.fail(challenge, "9000")
    build.run_jobs()
    assert not Payout.objects.exists()
    assert not Job.objects.filter(kind="payout").exists()


def test_a_granted_challenge_is_paid_to_the_traders_payer_account():
    ended("100100", has_payer=False)
    payout = Payout.objects.get()
    # No payer group is named yet: the booking waits for it, nothing is lost.
    assert payout.status == PayoutStatus.APPROVED
    assert "NoPayerAccount" in Job.objects.get(kind="pay").last_error

    build.group("PAYER", deposit="500", mode=1)
    build.payer_of(payout.customer)
    build.run_jobs(NOW + timedelta(seconds=5))

    payout.refresh_from_db()
    assert payout.status == PayoutStatus.PAID
    assert Wallet.objects.get(pk=payout.payer_login).balance == 580


def test_a_position_without_a_price_makes_the_payout_wait():
    step = {**build.FUNDED, "min_trading_days": 0}
    challenge = build.start(build.program(step, deposit="100000"), has_payer=True)
    (market,) = hold(challenge, 1)
    later = NOW + timedelta(hours=1)
    build.set_cash(build.phase_of(challenge).account_login, "104000")
    close_funded_phase(challenge_id=challenge.pk, actor=build.staff(), now=later)
    build.run_jobs(later)

    job = Job.objects.get(kind="payout")
    assert (job.status, job.attempts) == ("queued", 0)
    assert not Payout.objects.exists()
    assert not PropEvent.objects.filter(event="prop.challenge.passed").exists()

    # A price is back: ten shares are sold at 0.48.
    back = later + timedelta(minutes=5)
    set_book(market, bids=[("0.48", 10_000)], asks=[("0.50", 10_000)], now=back)
    build.run_jobs(back)

    payout = Payout.objects.get()
    assert (payout.status, payout.profit) == (PayoutStatus.PAID, Decimal("4004.80"))
    assert PropEvent.objects.filter(event="prop.challenge.passed").count() == 1
    assert PropEvent.objects.filter(event="prop.payout.paid").count() == 1


def pending(cash="101000", **fields):
    ended(cash, payout_mode="approval", **fields)
    payout = Payout.objects.get()
    assert payout.status == PayoutStatus.PENDING
    assert not Job.objects.filter(kind="pay").exists()
    return payout


def test_an_approved_payout_is_booked():
    payout = pending()
    approved = approve_payout(payout_id=payout.pk, actor=build.staff(), now=NOW)
    assert (approved.status, approved.decided_by) == (PayoutStatus.APPROVED, build.staff().user)
    build.run_jobs()
    payout.refresh_from_db()
    assert (payout.status, payout.amount) == (PayoutStatus.PAID, 800)
    event = PropEvent.objects.get(event="prop.payout.paid")
    assert (event.data["payout_id"], event.data["amount"]) == (payout.pk, 800)


@pytest.mark.parametrize("status", [1, 2, 3, 4])
def test_only_a_pending_payout_is_decided(status):
    payout = pending()
    Payout.objects.filter(pk=payout.pk).update(status=status, paid_at=NOW)
    with pytest.raises(StateConflict):
        approve_payout(payout_id=payout.pk, actor=build.staff(), now=NOW)
    with pytest.raises(StateConflict):
        reject_payout(payout_id=payout.pk, reason="x", actor=build.staff(), now=NOW)


def test_an_unknown_payout_is_not_found():
    with pytest.raises(NotFound):
        approve_payout(payout_id=999, actor=build.staff(), now=NOW)


def test_a_rejected_payout_keeps_the_money_where_it_is():
    payout = pending()
    rejected = reject_payout(
        payout_id=payout.pk, reason="Traded for another", actor=build.staff(), now=NOW
    )
    assert (rejected.status, rejected.reason) == (PayoutStatus.REJECTED, "Traded for another")
    build.run_jobs()
    assert Wallet.objects.get(pk=payout.funded_login).balance == 101000
    with pytest.raises(StateConflict):
        book_payout(payout_id=payout.pk, now=NOW)


@pytest.mark.parametrize(("limit", "is_enough"), [("799.99", False), ("800", True)])
def test_above_the_limit_two_persons_decide(limit, is_enough):
    payout = pending()
    PropSettings.objects.update(four_eyes_above=Decimal(limit))

    first = approve_payout(payout_id=payout.pk, actor=build.staff(1), now=NOW)
    assert (first.status == PayoutStatus.APPROVED) == is_enough
    if is_enough:
        return
    assert first.first_approval_by == build.staff(1).user
    with pytest.raises(SecondApprovalNeeded):
        approve_payout(payout_id=payout.pk, actor=build.staff(1), now=NOW)
    second = approve_payout(payout_id=payout.pk, actor=build.staff(2), now=NOW)
    assert (second.status, second.decided_by) == (PayoutStatus.APPROVED, build.staff(2).user)
    build.run_jobs()
    payout.refresh_from_db()
    assert payout.status == PayoutStatus.PAID
