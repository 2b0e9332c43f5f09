"""Writing verdicts: everything in one transaction, once; replaying them; the state machine."""

from decimal import Decimal

import pytest

from polysim.kernel.tenancy import enter_building
from prop.models import (
    Challenge,
    ChallengePhase,
    DailySnapshot,
    Job,
    MetricSnapshot,
    PropEvent,
    RuleBreach,
    Verdict,
)
from prop.services.replaying import replay_verdict
from prop.services.verdicts import write_verdicts
from tenants.office.models import WebhookEvent
from tests.evaluator import build
from tests.evaluator.build import NOW
from wallets.models import Wallet

pytestmark = pytest.mark.usefixtures("in_alpha")


def test_a_failed_phase_leaves_state_metric_breach_verdict_and_jobs():
    challenge = build.start()
    phase = build.fail(challenge, "9000")

    assert (phase.status, phase.final_equity, phase.end_at) == (3, Decimal("9000"), NOW)
    failed = build.challenge_now(challenge)
    assert (failed.status, failed.fail_rule, failed.end_at) == (3, "max_total_loss_pct", NOW)
    breaches = RuleBreach.objects.filter(phase=phase).order_by("-is_primary")
    assert [(row.rule, row.limit_value, row.actual_value, row.basis_value) for row in breaches] == [
        ("max_total_loss_pct", 10, 10, 10000),
        ("max_daily_loss_pct", 5, 10, 10000),
    ]
    metric = MetricSnapshot.objects.get(phase=phase)
    assert (metric.event, metric.equity, metric.total_loss) == ("failed", 9000, 10)
    day = DailySnapshot.objects.get(phase=phase)
    assert (day.current_equity, day.min_equity, day.max_equity) == (9000, 9000, 10000)
    assert list(Job.objects.order_by("pk").values_list("key", flat=True)) == [
        f"read_only:{phase.pk}",
        f"event:prop.challenge.failed:{phase.pk}",
    ]


def test_a_repeated_trigger_does_nothing():
    challenge = build.start()
    phase = build.phase_of(challenge)
    build.set_cash(phase.account_login, "9000")
    decision = build.decision_of(phase)

    assert write_verdicts(decisions=[decision], now=NOW) == [phase.pk]
    assert write_verdicts(decisions=[decision], now=NOW) == []

    assert Verdict.objects.count() == MetricSnapshot.objects.count() == 1
    assert Job.objects.count() == 2


def test_the_jobs_of_a_failure_make_the_account_read_only_and_tell_once():
    challenge = build.start()
    phase = build.fail(challenge)

    assert build.run_jobs().done == 2
    assert build.run_jobs().claimed == 0

    wallet = Wallet.objects.select_related("firm_account").get(pk=phase.account_login)
    assert wallet.trading_state == "READ_ONLY"
    assert wallet.firm_account.read_only_reason == "Challenge failed on 2 March: total loss"
    event = PropEvent.objects.get()
    assert event.event == "prop.challenge.failed"
    assert event.data == {
        "challenge_id": challenge.pk,
        "purchase_id": challenge.purchase_id,
        "program_id": challenge.program_id,
        "customer_id": challenge.customer_id,
        "phase_index": 1,
        "account_login": phase.account_login,
        "status": 3,
        "rule": "max_total_loss_pct",
        "limit_value": 10,
        "actual_value": 10,
    }
    sent = WebhookEvent.objects.get(type="prop.challenge.failed")
    assert sent.data == event.data


def test_a_passed_phase_opens_the_next_one_with_its_deposit():
    challenge = build.start(build.program(build.EXAMPLE, build.EXAMPLE))
    phase = build.pass_phase(challenge)
    assert (phase.status, build.challenge_now(challenge).status) == (2, 1)

    build.run_jobs()

    following = build.phase_of(challenge, 2)
    now = build.challenge_now(challenge)
    assert (following.status, following.initial_balance, following.start_at) == (1, 10000, NOW)
    assert (now.current_phase_index, now.account_login) == (2, following.account_login)
    assert following.account_login != phase.account_login
    assert Wallet.objects.get(pk=following.account_login).balance == 10000
    assert Wallet.objects.get(pk=phase.account_login).trading_state == "READ_ONLY"
    day = DailySnapshot.objects.get(phase=following)
    assert day.daily_start_equity == 10000
    event = PropEvent.objects.get()
    assert event.event == "prop.challenge.phase_changed"
    assert (event.data["from_phase_index"], event.data["phase_index"]) == (1, 2)
    assert event.data["account_login"] == following.account_login


def test_the_last_phase_passes_the_challenge():
    challenge = build.start()
    build.pass_phase(challenge)
    build.run_jobs()

    now = build.challenge_now(challenge)
    assert (now.status, now.end_at, now.fail_rule) == (2, NOW, "")
    event = PropEvent.objects.get()
    assert (event.event, event.data["payout_id"]) == ("prop.challenge.passed", None)


def test_a_verdict_computed_again_agrees():
    build.fail(build.start())
    build.pass_phase(build.start())

    for verdict in Verdict.objects.all():
        replay = replay_verdict(verdict_id=verdict.pk)
        assert replay.agrees, replay.differences


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("measures", "equity"), 9_500_000_000, "equity is 9500000000"),
        (("cash",), 9_500_000_000, "equity is 9000000000, by cash"),
        (("terms", "max_total_loss_pct"), "12", "the terms are not those of the phase"),
        (("positions",), "none", "cannot be read"),
    ],
)
def test_changed_inputs_are_found(path, value, said):
    build.fail(build.start())
    verdict = Verdict.objects.get()
    inner = verdict.inputs
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    verdict.save()

    replay = replay_verdict(verdict_id=verdict.pk)

    assert not replay.agrees
    assert "the inputs are not those that were hashed" in replay.differences
    assert any(said in difference for difference in replay.differences)


def test_changed_breaches_and_outcomes_are_found():
    build.fail(build.start())
    verdict = Verdict.objects.get()
    RuleBreach.objects.filter(rule="max_daily_loss_pct").update(actual_value=4)
    assert "max_daily_loss_pct" in replay_verdict(verdict_id=verdict.pk).differences[0]

    verdict.outcome = "passed"
    verdict.save()
    assert any("failed" in text for text in replay_verdict(verdict_id=verdict.pk).differences)


def test_phases_of_another_firm_stay_untouched(alpha, beta):
    phase = build.phase_of(build.start())
    build.set_cash(phase.account_login, "9000")
    decision = build.decision_of(phase)
    with enter_building("beta"):
        assert write_verdicts(decisions=[decision], now=NOW) == []
    assert build.phase_of(phase.challenge).status == 1


@pytest.mark.parametrize("status", [0, 2, 3, 4])
def test_only_active_phases_are_ended(status):
    phase = build.phase_of(build.start())
    build.set_cash(phase.account_login, "9000")
    decision = build.decision_of(phase)
    ChallengePhase.objects.filter(pk=phase.pk).update(status=status)

    assert write_verdicts(decisions=[decision], now=NOW) == []
    assert build.phase_of(phase.challenge).status == status


@pytest.mark.parametrize("status", [0, 2, 3, 4])
def test_only_phases_of_active_challenges_are_ended(status):
    phase = build.phase_of(build.start())
    build.set_cash(phase.account_login, "9000")
    decision = build.decision_of(phase)
    Challenge.objects.filter(pk=phase.challenge_id).update(status=status)

    assert write_verdicts(decisions=[decision], now=NOW) == []
