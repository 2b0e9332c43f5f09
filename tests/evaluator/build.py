"""Running challenges for tests of the evaluator: bought, funded, at any equity."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from prop.models import (
    AccountGroup,
    AccountMode,
    ActivationStatus,
    Challenge,
    ChallengePhase,
    DailySnapshot,
    PaymentStatus,
    PhaseType,
    Program,
    PropAccount,
    PropSettings,
    Purchase,
    PurchaseStatus,
    Step,
)
from prop.rules import Measures, Terms, evaluate
from prop.rules.days import local_date
from prop.services.beginning import begin_challenge
from prop.services.evidence import Evidence
from prop.services.jobs import JobsReport, run_due_jobs
from prop.services.payers import ensure_payer_account
from prop.services.phase_accounts import deposit_phase_account, open_phase_account
from prop.services.readings import read_evidence
from prop.services.terms import copy_terms, phase_terms
from prop.services.verdicts import Decision, write_verdicts
from tenants.models import User
from tenants.office.services import Actor
from tests.support.exchange import make_user
from wallets.models import Wallet
from wallets.services import transfer_money

# A Monday noon in New York.
NOW = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
NEW_YORK = "America/New_York"
_numbers = itertools.count(1)

# The phase of the contract's worked examples (prop-backoffice 7).
EXAMPLE = {
    "name": "Evaluation",
    "duration_days": 30,
    "max_daily_loss_pct": 5,
    "max_total_loss_pct": 10,
    "profit_target_pct": 8,
    "min_trading_days": 3,
    "max_trading_days": 20,
    "max_positions": 5,
}
FUNDED = {
    "name": "Funded",
    "phase_type": PhaseType.FUNDED,
    "duration_days": 30,
    "profit_split": Decimal("0.8"),
}


def group(name: str, *, deposit: str = "10000", mode: int = AccountMode.DEMO) -> AccountGroup:
    """An enabled group in dollars, made once per building."""
    row, _ = AccountGroup.objects.get_or_create(
        group=name,
        defaults={
            "account_mode": mode,
            "currency": "USD",
            "default_deposit": Decimal(deposit),
            "public_opening": True,
        },
    )
    return row


def program(*steps: dict[str, Any], deposit: str = "10000", **fields: Any) -> Program:
    """A program with these steps; without any the phase of the worked examples."""
    number = next(_numbers)
    values = {
        "name": f"Program {number}",
        "price": Decimal(99),
        "price_currency": "USD",
        "timezone": NEW_YORK,
        "created_at": NOW,
        "updated_at": NOW,
        **fields,
    }
    row = Program.objects.create(**values)
    for index, step in enumerate(steps or (EXAMPLE,), start=1):
        is_funded = step.get("phase_type") == PhaseType.FUNDED
        mode = AccountMode.REAL if is_funded else AccountMode.DEMO
        name = f"{'REAL' if is_funded else 'DEMO'}_{deposit}"
        Step.objects.create(
            program=row,
            phase_index=index,
            account_group=group(name, deposit=deposit, mode=mode),
            created_at=NOW,
            updated_at=NOW,
            **step,
        )
    return row


def start(
    chosen: Program | None = None,
    *,
    now: datetime = NOW,
    customer: User | None = None,
    has_payer: bool = False,
) -> Challenge:
    """An active challenge of its own customer, as activation leaves it."""
    chosen = chosen or program()
    person = customer or make_user()
    payer = payer_of(person, now).pk if has_payer else 0
    terms = copy_terms(chosen)
    purchase = Purchase.objects.create(
        program=chosen,
        customer=person,
        payer_login=payer,
        status=PurchaseStatus.ACTIVE,
        amount=chosen.price,
        currency="USD",
        amount_account_currency=chosen.price,
        payment_status=PaymentStatus.PAID,
        activation_status=ActivationStatus.ACTIVE,
        terms=terms,
        created_at=now,
        updated_at=now,
    )
    first = phase_terms(terms, 1)
    names = {"purchase_id": purchase.pk, "attempt": 1, "phase_index": 1}
    with transaction.atomic():
        account = open_phase_account(
            customer=person,
            phase_type=first["phase_type"],
            account_group=first["account_group"],
            time_zone=first["timezone"],
            now=now,
            **names,
        )
        deposit_phase_account(
            login=account.pk, amount=Decimal(first["initial_balance"]), now=now, **names
        )
        return begin_challenge(purchase=purchase, attempt=1, account_login=account.pk, now=now)


def payer_of(customer: User, now: datetime = NOW) -> PropAccount:
    """The customer's payer account, opened in the firm's payer group."""
    settings = PropSettings.objects.first() or PropSettings()
    settings.payer_group = group("PAYER", deposit="500", mode=AccountMode.REAL)
    settings.save()
    account = ensure_payer_account(customer=customer, now=now)
    assert account is not None
    return account


def phase_of(challenge: Challenge, index: int = 1) -> ChallengePhase:
    """The runtime row as it is now."""
    return ChallengePhase.objects.select_related("challenge").get(
        challenge=challenge, phase_index=index
    )


def challenge_now(challenge: Challenge) -> Challenge:
    """The challenge as it is now."""
    return Challenge.objects.get(pk=challenge.pk)


def set_cash(login: int, amount: str, *, now: datetime = NOW) -> None:
    """Bring an account's cash to an amount, as a profit or loss would."""
    wallet = Wallet.objects.get(pk=login)
    difference = Decimal(amount) - wallet.balance - wallet.reserved
    if difference:
        transfer_money(
            wallet_id=login,
            type="ADJUSTMENT",
            amount=difference,
            reference=f"test:{next(_numbers)}",
            now=now,
        )


def set_day_start(
    phase: ChallengePhase, equity: str, *, balance: str | None = None, now: datetime = NOW
) -> None:
    """Let the local day of `now` have begun with this equity."""
    day = local_date(int(now.timestamp()), ZoneInfo(phase.terms["timezone"]))
    amounts = {
        "daily_start_balance": Decimal(balance or equity),
        "daily_start_equity": Decimal(equity),
        "current_balance": Decimal(balance or equity),
        "current_equity": Decimal(equity),
        "min_equity": Decimal(equity),
        "max_equity": Decimal(equity),
        "updated_at": now,
    }
    DailySnapshot.objects.update_or_create(
        phase=phase,
        local_date=day,
        defaults=amounts,
        create_defaults={**amounts, "challenge_id": phase.challenge_id, "created_at": now},
    )


def decision_of(phase: ChallengePhase, *, now: datetime = NOW) -> Decision:
    """What the rules say of a phase read now; it must be final."""
    evidence = read_evidence(phase=phase, now=now)
    verdict = evaluate(evidence.terms, evidence.measures)
    assert verdict.is_final, verdict
    return Decision(phase_id=phase.pk, verdict=verdict, evidence=evidence)


def evidence_at(phase: ChallengePhase, equity: str, **measures: Any) -> Evidence:
    """Evidence of an account that holds nothing but cash."""
    terms = Terms.from_data(phase.terms)
    start_time = int(phase.start_at.timestamp()) if phase.start_at else 0
    scaled = int(Decimal(equity) * 1_000_000)
    base = Measures.at_start(terms, start_time=start_time, at=int(NOW.timestamp()))
    values = {name: getattr(base, name) for name in base.__slots__}
    values |= {"equity": scaled, "balance": scaled, **measures}
    return Evidence(terms=terms, measures=Measures(**values), cash=scaled)


def fail(challenge: Challenge, equity: str = "9000", *, now: datetime = NOW) -> ChallengePhase:
    """Let the running phase fail at this equity, jobs not run."""
    phase = phase_of(challenge, challenge.current_phase_index)
    set_cash(phase.account_login, equity, now=now)
    write_verdicts(decisions=[decision_of(phase, now=now)], now=now)
    return phase_of(challenge, phase.phase_index)


def pass_phase(
    challenge: Challenge, equity: str = "10800", *, now: datetime = NOW, trading_days: int = 3
) -> ChallengePhase:
    """Let the running phase pass at this equity, jobs not run."""
    challenge = challenge_now(challenge)
    phase = phase_of(challenge, challenge.current_phase_index)
    ChallengePhase.objects.filter(pk=phase.pk).update(trading_days=trading_days)
    phase.refresh_from_db()
    set_cash(phase.account_login, equity, now=now)
    write_verdicts(decisions=[decision_of(phase, now=now)], now=now)
    return phase_of(challenge, phase.phase_index)


def run_jobs(now: datetime = NOW, *, rounds: int = 10) -> JobsReport:
    """Run due jobs until nothing is left to do at this moment; answers the sums."""
    done = waiting = failed = 0
    for _ in range(rounds):
        report = run_due_jobs(now=now)
        done, waiting, failed = (
            done + report.done,
            waiting + report.waiting,
            failed + report.failed,
        )
        if not report.claimed:
            break
    return JobsReport(done, waiting, failed)


def staff(number: int = 1) -> Actor:
    """A member of the firm's staff."""
    user = User.objects.filter(email=f"staff{number}@example.org").first() or make_user(
        email=f"staff{number}@example.org"
    )
    return Actor(kind="staff", name=user.email, user=user, role="manager")
