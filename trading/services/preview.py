"""What an order would do, by the same path that places it (law 7), for ticket and API."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from polysim.kernel.errors import PolysimError, ServiceUnavailable
from polysim.kernel.money import from_scaled, money_text, six_places
from tenants.models import WalletKind
from trading.engine.matching import MatchResult
from trading.markets.books import LiveMarket
from trading.models import Position
from trading.services.market_terms import MarketTerms, OutcomeTerms, get_market_terms
from trading.services.order_checks import find_refusal
from trading.services.order_matching import Matched, match_command
from trading.services.order_prices import Prices, find_prices
from trading.services.order_request import Caller, PlaceOrder
from trading.services.order_statement import answer_frame, exact_price
from trading.services.refusals import refusal_of
from wallets.models import Wallet

# Average worse than the best price by so much is an amber line, and must be ticked (ui.md).
AMBER_PERCENT, AMBER_CENTS = Decimal(2), Decimal("0.02")
RED_PERCENT = Decimal(5)

KEY_KINDS = (WalletKind.API, WalletKind.SANDBOX)


@dataclass(frozen=True, slots=True)
class Preview:
    """The would-be answer and what a ticket shows; Decimal dollars, shares, prices.

    `refusal` is what placing would raise now; figures that need a fill are None without one.
    `levels` are (price, shares) taken best first. `slippage` is none, amber or red.
    `quantity_available` counts the shares within the price. `total` is what a buy costs with its
    fee and hold, or what a sell brings less its fee.
    """

    refusal: PolysimError | None
    answer: dict[str, Any] | None = None
    wallet_id: int | None = None
    levels: tuple[tuple[Decimal, Decimal], ...] = ()
    filled_quantity: Decimal = Decimal(0)
    resting_quantity: Decimal = Decimal(0)
    average_price: Decimal | None = None
    best_price: Decimal | None = None
    worst_price: Decimal | None = None
    notional: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    hold: Decimal = Decimal(0)
    total: Decimal = Decimal(0)
    payout_if_right: Decimal | None = None
    profit_if_right: Decimal | None = None
    profit_percent: Decimal | None = None
    balance_before: Decimal | None = None
    balance_after: Decimal | None = None
    quantity_available: Decimal = Decimal(0)
    slippage: str = "none"
    slippage_percent: Decimal | None = None
    quote_age_ms: int | None = None
    crosses_now: bool = False


def preview_order(*, command: PlaceOrder, caller: Caller, now: datetime) -> Preview:
    """Decide the order without writing or taking anything; never raises a refusal.

    A door of the API raises `refusal` where there is one; the ticket shows it beside the figures.
    """
    wallet = _find_wallet(command, caller)
    refusal = _refuse_wallet(wallet, caller)
    if refusal is not None:
        return Preview(refusal=refusal_of(refusal, now=now))
    assert wallet is not None
    prices = find_prices(wallet_id=wallet.pk, now=now)
    now = prices.at
    terms, live, broken = _validate(command, prices)
    if broken is not None or terms is None or live is None:
        return Preview(
            refusal=refusal_of(broken or "MARKET_NOT_FOUND", now=now),
            wallet_id=wallet.pk,
            balance_before=wallet.balance,
        )
    outcome = terms.find_outcome(command.outcome)
    assert outcome is not None, "the label was checked before"
    matched = match_command(command, terms, outcome, live, now=now)
    code = _refuse_funds(command, wallet, outcome, matched) or matched.refusal
    shown = matched
    if not matched.result.filled_quantity and command.is_immediate:
        # What the book could give of an order that it cannot give whole.
        partly = replace(command, time_in_force="IOC")
        shown = match_command(partly, terms, outcome, live, now=now)
    preview = _figures(command, terms, outcome, shown, wallet, now=now)
    return replace(preview, refusal=None if code is None else refusal_of(code, now=now))


def _find_wallet(command: PlaceOrder, caller: Caller) -> Wallet | None:
    own = Wallet.objects.filter(user_id=caller.user_id)
    if command.wallet_id is None:
        return own.filter(kind=WalletKind.API, status=Wallet.Status.ACTIVE).first()
    return own.filter(pk=command.wallet_id).first()


def _refuse_wallet(wallet: Wallet | None, caller: Caller) -> str | None:
    if wallet is None or wallet.status == Wallet.Status.DELETED:
        return "WALLET_NOT_FOUND"
    if caller.is_key and wallet.kind not in KEY_KINDS:
        return "WALLET_READ_ONLY"
    if wallet.status != Wallet.Status.ACTIVE:
        return "WALLET_FROZEN"
    states = {
        Wallet.TradingState.READ_ONLY.value: "ACCOUNT_READ_ONLY",
        Wallet.TradingState.CLOSED.value: "ACCOUNT_CLOSED",
    }
    return states.get(wallet.trading_state)


def _validate(
    command: PlaceOrder, prices: Prices
) -> tuple[MarketTerms | None, LiveMarket | None, str | None]:
    terms = get_market_terms(command.market_id)
    live: LiveMarket | None = None
    if terms is not None and terms.is_open:
        try:
            live = prices.read(terms.condition_id)
        except ServiceUnavailable:
            live = None
    return terms, live, find_refusal(command, terms, live, now=prices.at)


def _refuse_funds(
    command: PlaceOrder, wallet: Wallet, outcome: OutcomeTerms, matched: Matched
) -> str | None:
    if command.side == "BUY":
        is_short = wallet.balance < from_scaled(matched.cash_needed)
        return "INSUFFICIENT_BALANCE" if is_short else None
    position = Position.objects.filter(
        wallet=wallet, outcome_id=outcome.outcome_id, status="OPEN"
    ).first()
    free = position.quantity - position.reserved_quantity if position else Decimal(0)
    return "INSUFFICIENT_POSITION" if free < (command.quantity or 0) else None


def _figures(
    command: PlaceOrder,
    terms: MarketTerms,
    outcome: OutcomeTerms,
    matched: Matched,
    wallet: Wallet,
    *,
    now: datetime,
) -> Preview:
    result = matched.result
    is_buy = command.side == "BUY"
    notional, fee, hold = (
        from_scaled(value) for value in (result.notional, result.fee, result.hold)
    )
    change = -(notional + fee + hold) if is_buy else notional - fee
    bought = from_scaled(result.filled_quantity + result.remaining_quantity)
    best = matched.executable.best_ask if is_buy else matched.executable.best_bid
    best_price = None if best is None else from_scaled(best)
    average = exact_price(result) if result.filled_quantity else None
    slippage, percent = _slippage(average, best_price)
    profit = bought + change if is_buy and bought else None
    answer = answer_frame(command, terms, outcome, matched, now=now)
    answer["account_balance"] = money_text(wallet.balance + change)
    answer["wallet_id"] = wallet.pk
    answer["position"] = None
    return Preview(
        refusal=None,
        answer=answer,
        wallet_id=wallet.pk,
        levels=tuple((from_scaled(price), from_scaled(size)) for price, size in result.takes),
        filled_quantity=from_scaled(result.filled_quantity),
        resting_quantity=from_scaled(result.remaining_quantity)
        if hold or not is_buy
        else Decimal(0),
        average_price=average,
        best_price=best_price,
        worst_price=command.price,
        notional=notional,
        fee=fee,
        hold=hold,
        total=abs(change),
        payout_if_right=bought if is_buy and bought else None,
        profit_if_right=profit,
        profit_percent=_percent(profit, -change),
        balance_before=wallet.balance,
        balance_after=wallet.balance + change,
        quantity_available=_available(command, matched),
        slippage=slippage,
        slippage_percent=percent,
        quote_age_ms=matched.age_ms,
        crosses_now=_crosses(result),
    )


def _crosses(result: MatchResult) -> bool:
    return result.filled_quantity > 0


def _available(command: PlaceOrder, matched: Matched) -> Decimal:
    """Shares in the book within the order's price."""
    assert command.price is not None, "the price was checked before"
    book, is_buy = matched.executable, command.side == "BUY"
    sizes = [
        size
        for price, size in (book.asks if is_buy else book.bids)
        if (from_scaled(price) <= command.price) == is_buy or from_scaled(price) == command.price
    ]
    return from_scaled(sum(sizes))


def _percent(part: Decimal | None, whole: Decimal) -> Decimal | None:
    return None if part is None or whole <= 0 else six_places(part * 100 / whole)


def _slippage(average: Decimal | None, best: Decimal | None) -> tuple[str, Decimal | None]:
    """(none | amber | red, percent by which the average is worse than the best price)."""
    if average is None or not best:
        return "none", None
    distance = abs(average - best)
    percent = six_places(distance * 100 / best)
    if percent >= RED_PERCENT:
        return "red", percent
    is_amber = percent >= AMBER_PERCENT or distance >= AMBER_CENTS
    return ("amber" if is_amber else "none"), percent
