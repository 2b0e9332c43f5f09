"""The overview of one firm: its offers, the person's purchases and challenges."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from polysim.kernel.money import from_scaled
from prop.lifecycle import Lifecycle, lifecycle_of
from prop.meters import Meter, Moment, read_meters, tightest
from prop.models import Challenge, ChallengePhase, ChallengeStatus, Payout, Purchase, PurchaseStatus
from prop.rules.words import percent_words
from prop.selectors.pages.words import rules_in_words
from prop.selectors.readings import read_phase
from prop.selectors.shop import list_shop_programs
from prop.services.terms import copy_terms
from tenants.models import Firm, User

ROWS_MAX = 50


@dataclass(frozen=True)
class Offer:
    """A program on its card, every rule in words and money."""

    id: int
    name: str
    description: str
    price: Decimal
    currency: str
    phases: int
    balance: Decimal
    profit_split: Decimal
    rules: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def share_words(self) -> str:
        """The trader's part of funded profit: "80 %"; "" without a funded phase."""
        return percent_words(self.profit_split * 100) if self.profit_split else ""


@dataclass(frozen=True)
class RunningChallenge:
    """A challenge in a list; `equity` and `meters` None and empty where it has ended."""

    challenge: Challenge
    name: str
    phase_name: str
    phases: int
    equity: Decimal | None
    start: Decimal
    meters: tuple[Meter, ...]
    target: Meter | None

    @property
    def profit(self) -> Decimal | None:
        """Equity less the initial balance."""
        return None if self.equity is None else self.equity - self.start


@dataclass(frozen=True)
class OwnPurchase:
    """A purchase that is not simply running, with what can be done about it."""

    purchase: Purchase
    name: str
    lifecycle: Lifecycle


@dataclass(frozen=True)
class FirmOverview:
    """Everything of one firm that concerns the person."""

    firm: Firm
    offers: tuple[Offer, ...]
    running: tuple[RunningChallenge, ...]
    ended: tuple[RunningChallenge, ...]
    purchases: tuple[OwnPurchase, ...]
    payouts: tuple[Payout, ...]


def read_firm_overview(*, firm: Firm, user: User, now: datetime) -> FirmOverview:
    """Read inside the firm's building; running challenges are valued one by one."""
    challenges = list(
        Challenge.objects.filter(customer=user)
        .prefetch_related("phases")
        .order_by("-created_at", "-id")[:ROWS_MAX]
    )
    running = [one for one in challenges if one.status in (0, ChallengeStatus.ACTIVE)]
    ended = [one for one in challenges if one not in running]
    purchases = Purchase.objects.filter(customer=user).exclude(status=PurchaseStatus.ACTIVE)
    payouts = Payout.objects.filter(customer=user).order_by("-id")[:ROWS_MAX]
    return FirmOverview(
        firm=firm,
        offers=tuple(describe_offer(copy_terms(one)) for one in list_shop_programs()),
        running=tuple(_running(one, now=now) for one in running),
        ended=tuple(_row(one) for one in ended),
        purchases=tuple(_own(one) for one in purchases.order_by("-created_at", "-id")[:ROWS_MAX]),
        payouts=tuple(payouts),
    )


def describe_offer(terms: dict[str, Any]) -> Offer:
    """A program's card from copied terms."""
    program, steps = terms["program"], terms["steps"]
    funded = [step for step in steps if step["phase_type"] == 1]
    return Offer(
        id=int(program["id"]),
        name=str(program["name"]),
        description=str(program["description"]),
        price=Decimal(program["price"]),
        currency=str(program["price_currency"]),
        phases=len(steps),
        balance=Decimal(steps[0]["initial_balance"]) if steps else Decimal(0),
        profit_split=Decimal(funded[0]["profit_split"]) if funded else Decimal(0),
        rules=rules_in_words(terms),
    )


def _own(purchase: Purchase) -> OwnPurchase:
    state = lifecycle_of(
        status=purchase.status,
        payment_status=purchase.payment_status,
        failure_reason=purchase.failure_reason,
    )
    return OwnPurchase(purchase, str(purchase.terms["program"]["name"]), state)


def _row(
    challenge: Challenge,
    *,
    equity: Decimal | None = None,
    meters: tuple[Meter, ...] = (),
) -> RunningChallenge:
    phase = _current(challenge)
    steps = challenge.terms["steps"]
    step = next((s for s in steps if s["phase_index"] == challenge.current_phase_index), None)
    return RunningChallenge(
        challenge=challenge,
        name=str(challenge.terms["program"]["name"]),
        phase_name=str(step["name"]) if step else "",
        phases=len(steps),
        equity=equity,
        start=phase.initial_balance if phase is not None else Decimal(0),
        meters=tightest(meters),
        target=next((meter for meter in meters if meter.key == "profit_target_pct"), None),
    )


def _running(challenge: Challenge, *, now: datetime) -> RunningChallenge:
    phase = _current(challenge)
    reading = read_phase(phase, now=now) if phase is not None and phase.status == 1 else None
    if reading is None:
        return _row(challenge)
    moment = Moment(
        at=reading.measures.at, next_reset_time=reading.next_reset_time, zone=reading.zone
    )
    meters = read_meters(reading.terms, reading.measures, moment)
    return _row(challenge, equity=from_scaled(reading.measures.equity), meters=meters)


def _current(challenge: Challenge) -> ChallengePhase | None:
    for phase in challenge.phases.all():
        if phase.phase_index == challenge.current_phase_index:
            return phase
    return None
