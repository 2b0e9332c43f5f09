"""The screens of challenges: what is sold, how it runs, what failed it, what is paid."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import Q
from django.test import Client

from polysim.kernel.money import to_scaled
from polysim.kernel.tenancy import enter_building
from prop.models import (
    AccountGroup,
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    Job,
    JobStatus,
    Payout,
    PayoutStatus,
    Program,
    ProgramStatus,
    PropSettings,
    Purchase,
    PurchaseStatus,
    RuleBreach,
)
from prop.selectors.readings import read_phase
from prop.selectors.rooms import read_rooms, valued_phases
from prop.services.evidence import judge
from prop.services.grants import grant_challenge
from prop.services.readings import read_evidence
from prop.services.verdicts import Decision, write_verdicts
from tenants.models import Participant
from tenants.office.models import FirmAuditEntry
from tenants.office.services import system_actor
from tests.prop.catalogue import NOW, make_group, make_program
from tests.support.exchange import Trader, make_market, make_user, set_book
from wallets.models import LedgerTransaction, Wallet
from wallets.services import transfer_money

pytestmark = pytest.mark.django_db
SEED = system_actor("tests")


def buy(program: Program, external_id: str, firm: Any) -> Challenge:
    """A granted, running challenge of a new trader; in the firm's building."""
    person = make_user()
    Participant.objects.create(
        firm=firm, user=person, external_id=external_id, email=person.email, created_at=NOW
    )
    purchase = grant_challenge(
        customer_id=person.pk, program_id=program.pk, comment="test", actor=SEED, now=NOW
    )
    return Challenge.objects.get(purchase=purchase)


def lose(challenge: Challenge, amount: str) -> ChallengePhase:
    """Take money out of the phase's account and let the rules decide."""
    transfer_money(
        wallet_id=challenge.account_login,
        type=LedgerTransaction.Type.ADJUSTMENT,
        amount=-Decimal(amount),
        reference=f"loss:{challenge.pk}",
        now=NOW,
    )
    phase = ChallengePhase.objects.get(challenge=challenge)
    evidence = read_evidence(phase=phase, now=NOW)
    decision = Decision(phase_id=phase.pk, verdict=judge(evidence), evidence=evidence)
    if decision.verdict.is_final:
        write_verdicts(decisions=[decision], now=NOW)
    return ChallengePhase.objects.get(pk=phase.pk)


@pytest.fixture
def firm_with_challenges(alpha: Any) -> dict[str, Any]:
    """A program with a running challenge, one near its breach, and a failed one."""
    with enter_building("alpha"):
        program = make_program(name="Starter 10K")
        running = buy(program, "nw-1", alpha)
        near = buy(program, "nw-2", alpha)
        failed = buy(program, "nw-3", alpha)
        assert lose(near, "450.00").status == ChallengeStatus.ACTIVE
        ChallengePhase.objects.filter(challenge=near).update(
            warned={"max_daily_loss_pct": "2027-01-05"}
        )
        assert lose(failed, "600.00").status == ChallengeStatus.FAILED
    return {"program": program, "running": running, "near": near, "failed": failed}


def page(client: Client, path: str) -> str:
    answer = client.get(f"/backoffice/{path}")
    assert answer.status_code == 200, (path, answer.status_code)
    return answer.content.decode()


def do(client: Client, path: str, **form: Any) -> Any:
    return client.post(f"/backoffice/{path}", form)


def latest_audit() -> FirmAuditEntry:
    with enter_building("alpha"):
        return FirmAuditEntry.objects.latest("id")


def test_the_dashboard_counts_and_links(
    owner: Client, firm_with_challenges: dict[str, Any]
) -> None:
    shown = page(owner, "")
    assert "Near breach now" in shown
    # $50 of the day's $500 are left.
    assert "$50 left" in shown
    assert "10% room" in shown
    assert "nw-2" in shown
    assert "nw-1" not in shown.partition("Near breach now</h2>")[2].partition("</section>")[0]
    assert f"challenges/{firm_with_challenges['near'].pk}/" in shown


def test_the_list_shows_rooms_and_filters(
    owner: Client, firm_with_challenges: dict[str, Any]
) -> None:
    everything = page(owner, "challenges/")
    for name in ("nw-1", "nw-2", "nw-3"):
        assert name in everything
    assert "Failed: daily loss" in everything or "failed: daily loss" in everything
    near = page(owner, "challenges/?near=1")
    assert "nw-2" in near
    assert "nw-1" not in near
    failed = page(owner, "challenges/?rule=max_daily_loss_pct&status__exact=3")
    assert "nw-3" in failed
    assert "nw-2" not in failed
    for term in ("nw-3", firm_with_challenges["failed"].account_login):
        assert "nw-3" in page(owner, f"challenges/?q={term}")
    program = firm_with_challenges["program"]
    assert "nw-1" in page(owner, f"challenges/?program={program.pk}&stage=0")
    assert "nw-1" not in page(owner, f"challenges/?program={program.pk}&stage=1")


def test_the_room_of_a_list_is_that_of_a_single_reading(
    alpha: Any, firm_with_challenges: dict[str, Any]
) -> None:
    market = make_market()
    set_book(market, bids=[("0.40", 10_000)], asks=[("0.50", 10_000)])
    running = firm_with_challenges["running"]
    with enter_building("alpha"):
        account = Wallet.objects.get(pk=running.account_login)
        Trader(running.customer, account, "alpha").place(
            market, "BUY", quantity="1000", price="0.50"
        )
        phase = ChallengePhase.objects.get(challenge=running)
        alone = read_phase(phase, now=NOW)
        assert alone is not None
        room = read_rooms(valued_phases(Q(challenge=running)), now=NOW)[running.pk]
    # 1,000 shares bought at 50¢ and marked at 45¢: $50 less, and the fee.
    assert to_scaled(room.equity) == alone.measures.equity
    assert room.equity < Decimal("9950.01")
    assert room.daily is not None
    assert room.daily.left == room.equity - Decimal(9500)
    assert not room.is_stale


def test_a_list_of_challenges_takes_at_most_eight_queries(
    owner: Client,
    firm_with_challenges: dict[str, Any],
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    page(owner, "challenges/")
    with django_assert_max_num_queries(8):
        page(owner, "challenges/")
    with django_assert_max_num_queries(8):
        page(owner, "challenges/?status__exact=1&o=-2")


def test_a_failed_challenge_with_its_evidence(
    owner: Client, firm_with_challenges: dict[str, Any]
) -> None:
    failed = firm_with_challenges["failed"]
    shown = page(owner, f"challenges/{failed.pk}/")
    for words in ("replayed, same answer", "max_daily_loss_pct", "$9,400.00", "not reached"):
        assert words in shown
    with enter_building("alpha"):
        breach = RuleBreach.objects.get(challenge=failed)
    evidence = page(owner, f"breaches/{breach.pk}/")
    assert "replayed, same answer" in evidence
    assert "<form" not in evidence.partition("<main")[2]
    told = owner.get(f"/backoffice/challenges/{failed.pk}/evidence.json").json()
    assert (told["verdicts"][0]["rule"], told["verdicts"][0]["replay_agrees"]) == (
        "max_daily_loss_pct",
        True,
    )
    rows = page(owner, f"challenges/{failed.pk}/metrics.csv").splitlines()
    assert "failed" in rows[1]


def test_challenges_are_cancelled_and_begin_anew_with_a_reason(
    owner: Client, office: Callable[..., Client], firm_with_challenges: dict[str, Any]
) -> None:
    running, failed = firm_with_challenges["running"], firm_with_challenges["failed"]
    assert do(office("dealer"), f"challenges/{running.pk}/do/cancel/").status_code == 403
    assert b"This field is required" in do(owner, f"challenges/{running.pk}/do/cancel/").content
    done = do(owner, f"challenges/{running.pk}/do/cancel/", reason="On request")
    assert done.status_code == 302
    entry = latest_audit()
    assert entry.action == "prop.challenge.cancelled"
    assert entry.before != entry.after
    assert do(owner, f"challenges/{failed.pk}/do/reset/", reason="Goodwill").status_code == 302
    with enter_building("alpha"):
        attempts = Challenge.objects.filter(purchase=failed.purchase_id).order_by("attempt")
        assert [one.attempt for one in attempts] == [1, 2]
    late = do(owner, f"challenges/{running.pk}/do/close/", reason="x")
    assert b"Only an active funded phase" in late.content


def test_purchases_offer_only_what_is_legal(
    owner: Client, alpha: Any, firm_with_challenges: dict[str, Any]
) -> None:
    purchase = firm_with_challenges["running"].purchase_id
    shown = page(owner, f"purchases/{purchase}/")
    assert f"purchases/{purchase}/do/refund/" in shown
    assert f"purchases/{purchase}/do/retry/" not in shown
    assert f"purchases/{purchase}/do/delete/" not in shown
    granted = do(
        owner,
        "purchases/new/",
        trader="nw-1",
        program=str(firm_with_challenges["program"].pk),
        comment="Prize",
    )
    assert granted.status_code == 302
    unknown = do(owner, "purchases/new/", trader="nobody", program="1", comment="x")
    assert b"no such trader" in unknown.content or b"valid choice" in unknown.content
    form = {
        "status": str(PurchaseStatus.ACTIVE.value),
        "payment_status": "paid",
        "activation_status": "active",
        "failure_reason": "MANUAL_REVIEW",
        "comment": "",
    }
    assert do(owner, f"purchases/{purchase}/do/labels/", **form).status_code == 302
    with enter_building("alpha"):
        assert Purchase.objects.get(pk=purchase).failure_reason == "MANUAL_REVIEW"
    assert do(owner, f"purchases/{purchase}/do/refund/").status_code == 302
    with enter_building("alpha"):
        assert Purchase.objects.get(pk=purchase).status == PurchaseStatus.REFUNDED
    assert f"purchases/{purchase}/do/delete/" in page(owner, f"purchases/{purchase}/")


def test_payouts_above_the_limit_take_four_eyes(
    owner: Client, office: Callable[..., Client], firm_with_challenges: dict[str, Any]
) -> None:
    challenge = firm_with_challenges["running"]
    with enter_building("alpha"):
        PropSettings.objects.create(four_eyes_above=Decimal(100))
        payout = Payout.objects.create(
            challenge=challenge,
            program=firm_with_challenges["program"],
            customer_id=challenge.customer_id,
            funded_login=challenge.account_login,
            profit=Decimal("1000"),
            profit_split=Decimal("0.8"),
            amount=Decimal("800"),
            firm_amount=Decimal("200"),
            currency="USD",
            created_at=NOW,
            updated_at=NOW,
        )
    queue = page(owner, "payouts/?status__exact=0")
    assert "0 of 2" in queue
    path = f"payouts/{payout.pk}/do"
    assert do(office("dealer"), f"{path}/approve/").status_code == 403
    assert do(owner, f"{path}/approve/").status_code == 302
    assert "1 of 2" in page(owner, "payouts/")
    own = do(owner, f"{path}/approve/")
    assert b"You gave the first approval" in own.content
    assert b"required" in do(owner, f"{path}/reject/", reason="").content
    assert do(office("crm_admin"), f"{path}/approve/").status_code == 302
    with enter_building("alpha"):
        assert Payout.objects.get(pk=payout.pk).status == PayoutStatus.APPROVED
    assert b"It is approved." in do(owner, f"{path}/reject/", reason="late").content
    assert "$800.00" in page(owner, f"payouts/{payout.pk}/")


def test_the_firm_sets_payer_group_and_four_eyes(
    owner: Client, office: Callable[..., Client], groups: None
) -> None:
    form = {"payer_group": "FUNDED_USD", "four_eyes_above": "5000.00", "stale_after_s": "300"}
    assert do(office("manager"), "settings/challenges/", **form).status_code == 403
    assert do(owner, "settings/challenges/", **form).status_code == 302
    entry = latest_audit()
    assert (entry.action, entry.before["payer_group"]) == ("prop.settings.changed", None)
    assert entry.after == {
        "payer_group": "FUNDED_USD",
        "stale_after_s": 300,
        "four_eyes_above": "5000.00",
    }
    demo = do(owner, "settings/challenges/", **(form | {"payer_group": "EVAL_USD"}))
    assert b"valid choice" in demo.content
    short = do(owner, "settings/challenges/", **(form | {"stale_after_s": "5"}))
    assert b"greater than or equal" in short.content


def test_failed_jobs_are_shown_and_tried_again(
    owner: Client, firm_with_challenges: dict[str, Any]
) -> None:
    with enter_building("alpha"):
        job = Job.objects.order_by("id").first()
        assert job is not None
        Job.objects.filter(pk=job.pk).update(
            status=JobStatus.FAILED, attempts=10, last_error="no price"
        )
    assert "failed 10 times" in page(owner, "")
    assert job.key in page(owner, "jobs/?status__exact=failed")
    assert do(owner, f"jobs/{job.pk}/do/retry/").status_code == 302
    with enter_building("alpha"):
        assert Job.objects.get(pk=job.pk).status == JobStatus.QUEUED
    assert b"Only a failed job" in do(owner, f"jobs/{job.pk}/do/retry/").content


def test_money_is_booked_on_a_payer_account_once(
    owner: Client, office: Callable[..., Client], firm_with_challenges: dict[str, Any]
) -> None:
    from prop.services.payers import ensure_payer_account

    challenge = firm_with_challenges["running"]
    with enter_building("alpha"):
        group = make_group("PAYER_USD", mode=1, deposit="100", public_opening=True)
        PropSettings.objects.create(payer_group=group)
        account = ensure_payer_account(customer=challenge.customer, now=NOW)
        assert account is not None
    path = f"payers/{account.pk}/do/add/"
    assert 'name="idempotency_key"' in page(owner, path)
    form = {"amount": "25.00", "comment": "Bonus", "idempotency_key": "k-1"}
    assert do(owner, path, **form).status_code == 302
    assert do(owner, path, **form).status_code == 302
    assert "$125.00" in page(owner, f"payers/{account.pk}/")
    below = do(owner, path, amount="-500.00", comment="x", idempotency_key="k-2")
    assert b"does not cover" in below.content
    assert do(office("dealer"), path, **form).status_code == 403


def program_form(**fields: str) -> dict[str, str]:
    """The form of a program with one evaluation step and a funded one."""
    form = {
        "steps": "2",
        "name": "Two steps",
        "brand": "default",
        "description": "",
        "price": "99.00",
        "price_currency": "USD",
        "sort_index": "0",
        "timezone": "America/New_York",
        "trading_days_mode": "fills",
        "on_fail": "read_only",
        "payout_mode": "approval",
        "step-0-name": "Evaluation",
        "step-0-phase_type": "0",
        "step-0-account_group": "EVAL_USD",
        "step-0-profit_target_pct": "8",
        "step-0-max_daily_loss_pct": "5",
        "step-0-max_total_loss_pct": "10",
        "step-1-name": "Funded",
        "step-1-phase_type": "1",
        "step-1-account_group": "FUNDED_USD",
        "step-1-profit_split": "80",
        "step-1-max_daily_loss_pct": "4",
        "step-1-max_total_loss_pct": "10",
    }
    return form | fields


@pytest.fixture
def groups(alpha: Any) -> None:
    """A DEMO and a REAL group of $10,000."""
    with enter_building("alpha"):
        make_group()
        make_group("FUNDED_USD", mode=1)


def test_a_program_is_made_checked_and_put_on_sale(owner: Client, groups: None) -> None:
    assert "Checks" in page(owner, "programs/new/")
    checked = do(owner, "programs/new/", check="1", **program_form()).content.decode()
    for words in (
        "can be saved",
        "The funded step is the last.",
        "Phase 2 is tighter than phase 1 (daily loss).",
        "The funded phase has no end.",
        "$500",
        "80 % of the profit is paid to you",
    ):
        assert words in checked
    with enter_building("alpha"):
        assert not Program.objects.exists()
    assert do(owner, "programs/new/", save="1", **program_form()).status_code == 302
    with enter_building("alpha"):
        program = Program.objects.get()
        assert program.status == ProgramStatus.DISABLED
        assert [str(step.profit_split.normalize()) for step in program.steps.all()] == ["0", "0.8"]
    assert do(owner, f"programs/{program.pk}/do/activate/").status_code == 302
    changed = program_form(**{"step-0-max_daily_loss_pct": "4.5", "price": "120"})
    assert do(owner, f"programs/{program.pk}/", save="1", **changed).status_code == 302
    entry = latest_audit()
    assert entry.action == "prop.program.updated"
    assert entry.before != entry.after
    assert do(owner, f"programs/{program.pk}/do/clone/").status_code == 302
    assert "(copy)" in page(owner, "programs/")


def test_a_wrong_program_says_where(owner: Client, groups: None) -> None:
    wrong = program_form(**{"step-0-max_daily_loss_pct": "abc", "step-0-name": ""})
    answer = do(owner, "programs/new/", save="1", **wrong).content.decode()
    assert "Not saved." in answer
    assert "must be a number" in answer
    assert 'value="abc"' in answer
    swapped = program_form(**{"step-1-account_group": "EVAL_USD"})
    answer = do(owner, "programs/new/", check="1", **swapped).content.decode()
    assert "cannot be saved" in answer
    added = do(owner, "programs/new/", add_step="1", **program_form()).content.decode()
    assert 'name="step-2-name"' in added
    removed = do(owner, "programs/new/", remove_step="0", **program_form()).content.decode()
    assert 'name="step-1-name"' not in removed
    for junk in ({"steps": "999"}, {"steps": "0"}, {"price": "1e999"}, {"price": "NaN"}):
        assert do(owner, "programs/new/", save="1", **program_form(**junk)).status_code == 200
        assert do(owner, "programs/preview/", **program_form(**junk)).status_code == 200


def test_deleting_a_program_takes_its_typed_name(
    owner: Client, office: Callable[..., Client], firm_with_challenges: dict[str, Any]
) -> None:
    program = firm_with_challenges["program"]
    path = f"programs/{program.pk}/do/delete/"
    assert do(office("viewer"), path, typed_name=program.name).status_code == 403
    asked = page(owner, path)
    assert "3 purchases, 3 challenges (2 active)" in asked
    assert b"not the program" in do(owner, path, typed_name="starter").content
    assert do(owner, path, typed_name=program.name).status_code == 302
    with enter_building("alpha"):
        assert not Program.objects.exists()
        assert not Challenge.objects.exists()


def test_groups_are_made_and_kept_while_used(
    owner: Client, firm_with_challenges: dict[str, Any]
) -> None:
    form = {
        "group": "NEW",
        "brand": "default",
        "account_mode": "0",
        "currency": "USD",
        "default_deposit": "5000",
        "maxpositions": "0",
        "grp_index": "0",
        "enable": "on",
    }
    assert do(owner, "groups/new/", **form).status_code == 302
    assert b"exists already" in do(owner, "groups/new/", **form).content
    with enter_building("alpha"):
        used = AccountGroup.objects.get(group="EVAL_USD")
        free = AccountGroup.objects.get(group="NEW")
    del form["group"]
    mode = do(owner, f"groups/{used.pk}/do/edit/", **(form | {"account_mode": "1"}))
    assert b"cannot change" in mode.content
    assert do(owner, f"groups/{used.pk}/do/delete/").status_code == 200
    assert do(owner, f"groups/{free.pk}/do/delete/").status_code == 302


def test_challenges_of_another_firm_are_404(
    owner: Client, beta: Any, firm_with_challenges: dict[str, Any]
) -> None:
    with enter_building("beta"):
        program = make_program()
        for number in range(6):
            challenge = buy(program, f"of-beta-{number}", beta)
    for path in (f"challenges/{challenge.pk}/", f"purchases/{challenge.purchase_id}/"):
        assert owner.get(f"/backoffice/{path}").status_code == 404
    assert owner.get(f"/backoffice/accounts/{challenge.account_login}/").status_code == 404
    assert "Nothing matches" in page(owner, "challenges/?q=of-beta-5")
