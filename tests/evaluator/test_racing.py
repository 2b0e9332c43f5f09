"""Two evaluators, two workers, two members of staff at the same moment: one of everything."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from polysim.kernel.tenancy import enter_building
from prop.errors import StateConflict
from prop.evaluator.shard import Shard
from prop.models import (
    Challenge,
    Job,
    MetricSnapshot,
    Payout,
    PropEvent,
    RuleBreach,
    Verdict,
)
from prop.services.challenge_control import cancel_challenge, close_funded_phase
from prop.services.payouts import approve_payout
from tests.evaluator import build
from tests.evaluator.build import NOW
from wallets.models import LedgerTransaction
from wallets.selectors import check_conservation

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(count, work):
    """Run `work(number)` in that many threads, all begun together; answers or errors in order."""
    gate = threading.Barrier(count)

    def one(number):
        gate.wait()
        try:
            return work(number)
        except StateConflict as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_evaluators_that_do_not_know_of_each_other_decide_once(alpha, monkeypatch):
    monkeypatch.setattr(Shard, "_owns", lambda self: True)
    with enter_building("alpha"):
        challenges = [build.start() for _ in range(6)]
        for challenge in challenges[:4]:
            build.set_cash(challenge.account_login, "9000")

    def evaluate(_):
        Shard(0, list_firms=lambda: ["alpha"]).evaluate_all(now=NOW)

    at_once(3, evaluate)

    with enter_building("alpha"):
        assert Challenge.objects.filter(status=3).count() == 4
        assert Verdict.objects.count() == 4
        assert RuleBreach.objects.count() == 8
        assert MetricSnapshot.objects.filter(event="failed").count() == 4
        ticks = MetricSnapshot.objects.filter(event="tick", challenge__in=challenges[4:])
        assert ticks.count() == 2
        assert Job.objects.count() == 8


def test_workers_share_jobs_and_do_each_once(alpha):
    with enter_building("alpha"):
        program = build.program(build.EXAMPLE, build.EXAMPLE)
        challenges = [build.start(program) for _ in range(5)]
        for challenge in challenges:
            build.pass_phase(challenge)

    def work(_):
        with enter_building("alpha"):
            build.run_jobs()

    at_once(4, work)

    with enter_building("alpha"):
        # What one worker had to wait for is left to the next sweep.
        build.run_jobs()
        assert not Job.objects.exclude(status="done").exists()
        assert PropEvent.objects.count() == 5
        deposits = LedgerTransaction.objects.filter(reference__contains=":deposit:1:2")
        assert deposits.count() == 5
        assert check_conservation().is_sound


def test_a_payout_is_approved_by_one_of_two(alpha):
    with enter_building("alpha"):
        challenge = build.start(build.program(build.FUNDED, payout_mode="approval"), has_payer=True)
        build.set_cash(challenge.account_login, "10500")
        close_funded_phase(challenge_id=challenge.pk, actor=build.staff(), now=NOW)
        build.run_jobs()
        payout = Payout.objects.get()
        people = [build.staff(1), build.staff(2)]

    def approve(number):
        with enter_building("alpha"):
            return approve_payout(payout_id=payout.pk, actor=people[number], now=NOW)

    answers = at_once(2, approve)

    assert sum(isinstance(answer, StateConflict) for answer in answers) == 1
    with enter_building("alpha"):
        assert Job.objects.filter(kind="pay").count() == 1


def test_a_verdict_and_a_cancellation_leave_one_end(alpha):
    with enter_building("alpha"):
        challenges = [build.start() for _ in range(4)]
        for challenge in challenges:
            build.set_cash(challenge.account_login, "9000")
        actor = build.staff()

    def act(number):
        if number == 0:
            shard = Shard(0, list_firms=lambda: ["alpha"])
            shard.evaluate_all(now=NOW)
            shard.close()
            return
        with enter_building("alpha"):
            cancel_challenge(challenge_id=challenges[number].pk, reason="x", actor=actor, now=NOW)

    at_once(4, act)

    with enter_building("alpha"):
        for challenge in challenges:
            phase = build.phase_of(challenge)
            status = build.challenge_now(challenge).status
            assert phase.status == status
            assert Verdict.objects.filter(phase=phase).count() == (status == 3)
            ends = MetricSnapshot.objects.filter(phase=phase).exclude(event="tick")
            assert ends.count() == 1
