"""Some days of challenges to look at: real services run through the past, hour by hour.

Purchases, orders, the evaluator, jobs and measures are the product's own; only the clock is an
argument and the books are made of stored prices. All of a firm's past is one transaction, so that
the running evaluator meets it finished. It must run with a Valkey prefix of its own
(POLYSIM_REDIS_KEY_PREFIX): live books and caches stay untouched.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal

from django.db import transaction

from polysim.kernel.errors import PolysimError
from polysim.kernel.redis import get_redis, key
from polysim.kernel.tenancy import enter_building
from prop.demo.firms import ACTOR
from prop.demo.past import HOUR, PastMarket, load_past, write_books
from prop.demo.traders import DemoTrader, Wish, cast
from prop.evaluator.book import PhaseBook
from prop.evaluator.marks import apply_marks, held_tokens
from prop.evaluator.passes import run_pass
from prop.models import Challenge, ChallengePhase, ChallengeStatus, PhaseType, Program
from prop.services.challenge_control import cancel_challenge, close_funded_phase
from prop.services.jobs import ORDINARY_KINDS, PAYOUT_KINDS, run_due_jobs
from prop.services.payers import ensure_payer_account
from prop.services.purchases import buy_challenge
from tenants.models import Firm, User
from tenants.services.participants import register_trader
from trading.models import Position
from trading.services import Caller, PlaceOrder, place_order
from trading.services.equity import record_building_equity
from trading.services.market_terms import forget_market_terms
from trading.services.measures import measure_accounts
from wallets.models import Wallet

logger = logging.getLogger(__name__)

DAYS = 6
MARKETS_MIN = 4
STALE_AFTER_S = 300
CENT = Decimal("0.01")
CANCELLED_TRADER = "doubled"
CLOSED_TRADER = "lucky"
CLOSING_HOURS = 40


class NoPastYet(PolysimError):
    """The markets' past prices are not stored yet: try again a little later."""

    code = "NO_PAST_YET"
    status = 503
    message = "The markets have no history yet."


@dataclass
class _Account:
    trader: DemoTrader
    user: User
    challenge_id: int = 0


def seed_challenge_history(*, firm: Firm, now: datetime) -> int:
    """Live through the last days in one firm; answers its challenges. 0 where there are some.

    Raises NoPastYet while fewer than four markets have prices of these days.
    """
    with enter_building(firm.schema_name):
        if Challenge.objects.exists():
            return 0
        until = now.replace(minute=0, second=0, microsecond=0)
        since = until - timedelta(days=DAYS)
        markets = load_past(since=since, until=until)
        if len(markets) < MARKETS_MIN:
            raise NoPastYet()
        try:
            with transaction.atomic():
                _live_through(firm, markets, since=since)
                return int(Challenge.objects.count())
        finally:
            forget_own_valkey()


def forget_own_valkey() -> None:
    """Remove what was written under this process's own prefix."""
    client = get_redis()
    for name in client.scan_iter(match=key("*"), count=1000):
        client.delete(name)


def _live_through(firm: Firm, markets: Sequence[PastMarket], *, since: datetime) -> None:
    accounts = [_Account(trader, _register(firm, trader.person, now=since)) for trader in cast()]
    hours = len(markets[0].closes)
    for hour in range(hours):
        at = since + HOUR * hour
        forget_market_terms()
        write_books(markets, hour=hour, at=at)
        for account in accounts:
            _act(account, markets, hour, at)
        _evaluate(firm.schema_name, at)
        _work_off(at)
        if _decide_for_staff(accounts, hour, hours, at):
            _work_off(at)


def _register(firm: Firm, name: str, *, now: datetime) -> User:
    registered = register_trader(
        firm=firm,
        external_id=f"demo-{name}",
        email=f"{name}@{firm.slug}.example",
        metadata={"cohort": "demo"},
        actor=ACTOR,
        now=now,
    )
    user: User = registered.participant.user
    return user


def _act(account: _Account, markets: Sequence[PastMarket], hour: int, at: datetime) -> None:
    trader = account.trader
    if hour == trader.first_hour:
        account.challenge_id = _buy(account, at)
    if not account.challenge_id or hour < trader.first_hour:
        return
    challenge = Challenge.objects.get(pk=account.challenge_id)
    wallet = Wallet.objects.filter(pk=challenge.account_login).first()
    is_open = wallet is not None and wallet.trading_state == Wallet.TradingState.OPEN
    if challenge.status != ChallengeStatus.ACTIVE or wallet is None or not is_open:
        return
    for wish in trader.wishes(markets, hour, wallet.balance):
        _order(account, wallet, wish, hour, at)


def _buy(account: _Account, at: datetime) -> int:
    program = Program.objects.get(name=account.trader.program)
    payer = ensure_payer_account(customer=account.user, now=at)
    if payer is None:
        return 0
    bought = buy_challenge(
        customer=account.user,
        program_id=program.pk,
        payer_login=payer.pk,
        idempotency_key=f"demo-{account.trader.name}",
        now=at,
    )
    return bought.challenge.pk if bought.challenge is not None else 0


def _order(account: _Account, wallet: Wallet, wish: Wish, hour: int, at: datetime) -> None:
    quantity = None
    if wish.amount is None:
        held = Position.objects.filter(
            wallet=wallet,
            market=wish.past.market,
            outcome__index=wish.outcome,
            status=Position.Status.OPEN,
        ).first()
        if held is None:
            return
        quantity = held.quantity.quantize(Decimal("0.0001"), ROUND_DOWN)
    price = wish.past.price(hour, wish.outcome)
    room = CENT * 4 if wish.amount is not None else -CENT * 4
    command = PlaceOrder(
        market_id=wish.past.market.condition_id,
        side="SELL" if wish.amount is None else "BUY",
        outcome=wish.past.labels[wish.outcome],
        quantity=quantity,
        amount=None if wish.amount is None else wish.amount.quantize(CENT, ROUND_DOWN),
        price=price + room,
        wallet_id=wallet.pk,
    )
    try:
        place_order(command=command, caller=Caller(user_id=account.user.pk), now=at)
    except PolysimError as error:
        logger.info("A demo order was refused: %s", error.code)


def _evaluate(schema: str, at: datetime) -> None:
    """One full pass of the evaluator as it would have run at that moment."""
    book = PhaseBook(schema)
    book.load()
    apply_marks(book, held_tokens(book))
    run_pass(book, now=at, stale_after_s=STALE_AFTER_S)
    # The firm's other accounts live in the present.
    logins = list(ChallengePhase.objects.values_list("account_login", flat=True))
    measure_accounts(now=at, wallet_ids=logins)
    record_building_equity(now=at, wallet_ids=logins)


def _work_off(at: datetime) -> None:
    while run_due_jobs(now=at, kinds=(*ORDINARY_KINDS, *PAYOUT_KINDS)).claimed:
        pass


def _decide_for_staff(accounts: Sequence[_Account], hour: int, hours: int, at: datetime) -> bool:
    """What staff did: one challenge cancelled half way, one funded phase closed with profit.

    Answers whether they did anything at this hour.
    """
    by_name = {account.trader.name: account.challenge_id for account in accounts}
    cancelled, closed = by_name[CANCELLED_TRADER], by_name[CLOSED_TRADER]
    if hour == hours // 2 and _is_active(cancelled):
        cancel_challenge(
            challenge_id=cancelled, reason="Two accounts of one person", actor=ACTOR, now=at
        )
        return True
    if hour >= hours - CLOSING_HOURS and _is_active(closed) and _has_funded_cash(closed):
        close_funded_phase(challenge_id=closed, reason="First payout", actor=ACTOR, now=at)
        return True
    return False


def _has_funded_cash(challenge_id: int) -> bool:
    """Whether the funded account holds more cash than it began with."""
    phase = ChallengePhase.objects.filter(
        challenge_id=challenge_id, status=ChallengeStatus.ACTIVE, phase_type=PhaseType.FUNDED
    ).first()
    if phase is None:
        return False
    return bool(Wallet.objects.get(pk=phase.account_login).balance > phase.initial_balance)


def _is_active(challenge_id: int) -> bool:
    return Challenge.objects.filter(pk=challenge_id, status=ChallengeStatus.ACTIVE).exists()
