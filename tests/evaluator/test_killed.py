"""Evaluator and workers are killed (SIGKILL) before any of their statements: one of everything.

A child process does the work and kills itself before its n-th statement; another process then goes
on, as a restarted evaluator and the sweep of jobs do.
"""

import time
from datetime import timedelta
from decimal import Decimal

import pytest

from polysim.kernel.tenancy import enter_building
from prop.evaluator.shard import Shard
from prop.models import (
    Challenge,
    ChallengePhase,
    DailySnapshot,
    Job,
    MetricSnapshot,
    Payout,
    PropAccount,
    PropEvent,
    RuleBreach,
    Verdict,
)
from prop.services.challenge_control import close_funded_phase
from prop.services.replaying import replay_verdict
from tenants.office.models import WebhookEvent
from tests.evaluator import build
from tests.evaluator.build import NOW
from tests.prop.test_killed_activation import was_killed
from wallets.models import LedgerTransaction, Wallet
from wallets.selectors import check_conservation

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
STATEMENTS_MAX = 400
# When whoever was killed has lost its claim on a job.
LATER = NOW + timedelta(seconds=130)


def killed_everywhere(prepare, work, check, *, kills_least, every=1):
    """Kill `work` before its statements, one of `every`; after each kill `check` has to hold."""
    kills = 0
    for at in range(1, STATEMENTS_MAX, every):
        with enter_building("alpha"):
            challenge = prepare()
        is_killed = was_killed(lambda one=challenge: work(one), at=at)
        with enter_building("alpha"):
            assert check_conservation().is_sound
            check(challenge)
            assert check_conservation().is_sound
        if not is_killed:
            break
        kills += 1
    else:
        pytest.fail("the work never came to its end")
    assert kills >= kills_least


def evaluate(challenge=None, *, now=NOW):
    """A full pass of a process that has just started."""
    shard = Shard(0, list_firms=lambda: ["alpha"])
    try:
        # The killed one's lock is free as soon as PostgreSQL notices.
        while not shard.evaluate_all(now=now).is_owner:
            time.sleep(0.05)
    finally:
        shard.close()


def finish():
    """What a restarted installation does: all jobs, also those whose worker died."""
    build.run_jobs(LATER)
    build.run_jobs(LATER + timedelta(seconds=130))
    assert not Job.objects.exclude(status="done").exists()


def events_of(challenge):
    rows = PropEvent.objects.filter(challenge=challenge).order_by("pk")
    return list(rows.values_list("event", flat=True))


def test_a_verdict_is_written_once(alpha):
    def prepare():
        challenge = build.start()
        build.set_cash(challenge.account_login, "9000")
        return challenge

    def check(challenge):
        evaluate(now=NOW + timedelta(seconds=5))
        finish()
        phase = build.phase_of(challenge)
        assert (phase.status, build.challenge_now(challenge).status) == (3, 3)
        verdict = Verdict.objects.get(phase=phase)
        assert replay_verdict(verdict_id=verdict.pk).agrees
        assert RuleBreach.objects.filter(phase=phase).count() == 2
        failed = MetricSnapshot.objects.filter(phase=phase, event="failed")
        assert failed.count() == 1
        assert DailySnapshot.objects.filter(phase=phase).count() == 1
        assert events_of(challenge) == ["prop.challenge.failed"]
        sent = WebhookEvent.objects.filter(type="prop.challenge.failed")
        assert sent.filter(data__challenge_id=challenge.pk).count() == 1
        assert Wallet.objects.get(pk=phase.account_login).trading_state == "READ_ONLY"

    killed_everywhere(prepare, evaluate, check, kills_least=12)


def test_the_next_phase_opens_once(alpha):
    with enter_building("alpha"):
        program = build.program(build.EXAMPLE, build.EXAMPLE)

    def prepare():
        challenge = build.start(program)
        build.pass_phase(challenge)
        return challenge

    def check(challenge):
        finish()
        now = Challenge.objects.get(pk=challenge.pk)
        first, second = ChallengePhase.objects.filter(challenge=challenge).order_by("phase_index")
        assert (first.status, second.status) == (2, 1)
        assert (now.current_phase_index, now.account_login) == (2, second.account_login)
        accounts = PropAccount.objects.filter(customer=challenge.customer)
        assert sorted(accounts.values_list("pk", flat=True)) == sorted(
            [first.account_login, second.account_login]
        )
        assert Wallet.objects.get(pk=second.account_login).balance == 10000
        deposits = LedgerTransaction.objects.filter(wallet_id=second.account_login)
        assert deposits.count() == 1
        assert DailySnapshot.objects.filter(phase=second).count() == 1
        assert events_of(challenge) == ["prop.challenge.phase_changed"]

    killed_everywhere(prepare, lambda _: build.run_jobs(), check, kills_least=15, every=3)


def test_a_payout_is_booked_once(alpha):
    with enter_building("alpha"):
        program = build.program(build.FUNDED)

    def prepare():
        challenge = build.start(program, has_payer=True)
        build.set_cash(challenge.account_login, "10500")
        close_funded_phase(challenge_id=challenge.pk, actor=build.staff(), now=NOW)
        return challenge

    def check(challenge):
        finish()
        payout = Payout.objects.get(challenge=challenge)
        assert (payout.status, payout.amount, payout.firm_amount) == (2, 400, 100)
        booked = LedgerTransaction.objects.filter(reference__startswith=f"payout:{payout.pk}:")
        assert sorted(booked.values_list("type", flat=True)) == [
            "PROP_FIRM_SHARE",
            "PROP_PROFIT_PAYOUT",
            "PROP_PROFIT_WITHDRAWAL",
        ]
        assert Wallet.objects.get(pk=payout.funded_login).balance == 10000
        assert Wallet.objects.get(pk=payout.payer_login).balance == Decimal(900)
        assert sorted(events_of(challenge)) == ["prop.challenge.passed", "prop.payout.paid"]

    killed_everywhere(prepare, lambda _: build.run_jobs(), check, kills_least=15, every=3)
