"""Staff cancel, reset and close challenges: allowed and forbidden states, audit, what follows."""

from datetime import timedelta

import pytest

from polysim.kernel.errors import NotFound
from prop.errors import StateConflict
from prop.models import (
    Challenge,
    ChallengePhase,
    Job,
    MetricSnapshot,
    Payout,
    PropEvent,
    Purchase,
    Step,
    Verdict,
)
from prop.services.challenge_control import (
    cancel_challenge,
    close_funded_phase,
    reset_challenge,
)
from prop.services.replaying import replay_verdict
from tenants.office.models import FirmAuditEntry
from tests.evaluator import build
from tests.evaluator.build import NOW
from wallets.models import Wallet

pytestmark = pytest.mark.usefixtures("in_alpha")


def cancel(challenge, reason="Asked for it"):
    return cancel_challenge(challenge_id=challenge.pk, reason=reason, actor=build.staff(), now=NOW)


def reset(challenge, reason="Our mistake", now=NOW):
    return reset_challenge(challenge_id=challenge.pk, reason=reason, actor=build.staff(), now=now)


def test_cancelling_ends_challenge_and_phase_and_makes_the_account_read_only():
    challenge = build.start()
    done = cancel(challenge)
    assert (done.status, done.end_at, done.cancel_reason) == (4, NOW, "Asked for it")
    phase = build.phase_of(challenge)
    assert (phase.status, phase.final_equity) == (4, 10000)
    assert MetricSnapshot.objects.get().event == "cancelled"
    build.run_jobs()
    assert Wallet.objects.get(pk=phase.account_login).trading_state == "READ_ONLY"
    event = PropEvent.objects.get()
    assert (event.event, event.data["reason"]) == ("prop.challenge.cancelled", "Asked for it")
    entry = FirmAuditEntry.objects.get(action="prop.challenge.cancelled")
    assert entry.before == {"status": "active"}
    assert entry.after == {"status": "cancelled", "reason": "Asked for it"}


@pytest.mark.parametrize("status", [2, 3, 4])
def test_what_is_over_is_not_cancelled(status):
    challenge = build.start()
    Challenge.objects.update(status=status)
    with pytest.raises(StateConflict):
        cancel(challenge)


def test_a_challenge_between_two_phases_can_be_cancelled():
    challenge = build.start(build.program(build.EXAMPLE, build.EXAMPLE))
    build.pass_phase(challenge)
    Job.objects.filter(kind="next_phase").update(run_after=NOW)
    cancel(challenge)
    build.run_jobs()
    assert ChallengePhase.objects.count() == 1
    assert build.phase_of(challenge).status == 2


def test_a_pending_phase_is_cancelled_with_its_challenge():
    challenge = build.start(build.program(build.EXAMPLE, build.EXAMPLE))
    build.pass_phase(challenge)
    Job.objects.exclude(kind="next_phase").update(run_after=NOW + timedelta(hours=1))
    from prop.services.jobs import run_due_jobs

    run_due_jobs(now=NOW, kinds=["next_phase"])
    assert build.phase_of(challenge, 2).status == 0
    cancel(challenge)
    assert build.phase_of(challenge, 2).status == 4
    build.run_jobs(NOW + timedelta(hours=2))
    assert build.phase_of(challenge, 2).status == 4
    login = build.phase_of(challenge, 2).account_login
    assert Wallet.objects.get(pk=login).balance == 0
    assert Wallet.objects.get(pk=login).trading_state == "READ_ONLY"


def test_an_unknown_challenge_is_not_found():
    for act in (cancel, reset):
        with pytest.raises(NotFound):
            act(Challenge(pk=999))


@pytest.mark.parametrize("ending", ["failed", "cancelled"])
def test_a_reset_begins_anew_on_the_old_terms(ending):
    challenge = build.start()
    if ending == "failed":
        build.fail(challenge)
    else:
        cancel(challenge)
    build.run_jobs()
    old_login = build.phase_of(challenge).account_login
    Step.objects.update(profit_target_pct=99)

    fresh = reset(challenge)

    assert (fresh.attempt, fresh.status, fresh.purchase_id) == (2, 1, challenge.purchase_id)
    assert fresh.terms == challenge.terms
    phase = build.phase_of(fresh)
    assert (phase.status, phase.phase_index, phase.initial_balance) == (1, 1, 10000)
    assert phase.account_login not in (0, old_login)
    assert Wallet.objects.get(pk=phase.account_login).balance == 10000
    assert build.challenge_now(challenge).status in (3, 4)
    entry = FirmAuditEntry.objects.get(action="prop.challenge.reset")
    assert entry.after["attempt"] == 2


def test_a_reset_needs_an_ended_challenge_and_no_running_one():
    challenge = build.start()
    with pytest.raises(StateConflict):
        reset(challenge)
    build.fail(challenge)
    reset(challenge)
    with pytest.raises(StateConflict):
        reset(challenge)


def test_a_passed_challenge_and_a_refunded_purchase_are_not_reset():
    passed = build.start()
    build.pass_phase(passed)
    with pytest.raises(StateConflict):
        reset(passed)
    refunded = build.start()
    build.fail(refunded)
    Purchase.objects.filter(pk=refunded.purchase_id).update(status=5)
    with pytest.raises(StateConflict):
        reset(refunded)


def test_a_second_reset_counts_on():
    challenge = build.start()
    build.fail(challenge)
    second = reset(challenge)
    build.fail(second)
    third = reset(second)
    assert third.attempt == 3
    assert len(set(Challenge.objects.values_list("account_login", flat=True))) == 3


def test_closing_a_funded_phase_passes_and_pays_it():
    challenge = build.start(build.program(build.FUNDED), has_payer=True)
    build.set_cash(build.phase_of(challenge).account_login, "10500")
    done = close_funded_phase(challenge_id=challenge.pk, actor=build.staff(), now=NOW)
    assert (done.status, done.fail_rule) == (2, "")
    build.run_jobs()
    assert Payout.objects.get().amount == 400
    replay = replay_verdict(verdict_id=Verdict.objects.get().pk)
    assert replay.agrees, replay.differences


def test_only_an_active_funded_phase_is_closed():
    evaluation = build.start()
    with pytest.raises(StateConflict):
        close_funded_phase(challenge_id=evaluation.pk, actor=build.staff(), now=NOW)
    funded = build.start(build.program(build.FUNDED), has_payer=True)
    close_funded_phase(challenge_id=funded.pk, actor=build.staff(), now=NOW)
    with pytest.raises(StateConflict):
        close_funded_phase(challenge_id=funded.pk, actor=build.staff(), now=NOW)
