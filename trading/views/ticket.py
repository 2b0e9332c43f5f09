"""The order ticket: its form, and what it says before anything is placed (ui.md, Order ticket).

The figures are those of `preview_order`, which runs the engine that fills; this module only reads
the form and finds the words.
"""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from django.http import HttpRequest

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError, ServiceUnavailable
from polysim.kernel.money import from_scaled
from tenants.models import User
from trading.formats import money_text, price_cents_text, shares_text
from trading.markets.books import read_live_market
from trading.selectors.pages.accounts import Account
from trading.selectors.pages.market import MarketView
from trading.services import Caller, PlaceOrder, Preview, preview_order
from trading.services.market_terms import MarketTerms, OutcomeTerms, get_market_terms
from trading.views.context import get_shell
from trading.views.rooms import read_room, room_lines, room_warning

DEFAULT_ROOM = Decimal("0.02")
TEXT_LENGTH_MAX = 64
STRIP_OPACITIES = ("100%", "70%", "42%", "28%", "20%")
STRIP_LEVELS = 5


class FormProblem(Exception):
    """The form cannot be read as an order; the message says what to change."""


@dataclass(frozen=True)
class TicketForm:
    """The ticket's fields as text, checked for length and known choices only."""

    wallet: str = ""
    market: str = ""
    side: str = "BUY"
    type: str = "market"
    outcome: str = "0"
    size: str = ""
    unit: str = "usd"
    limit: str = ""
    worst: str = ""
    tif: str = "GTC"
    until: str = ""
    post_only: str = ""
    accept: str = ""
    client_order_id: str = ""

    @classmethod
    def from_post(cls, data: Mapping[str, Any]) -> "TicketForm":
        """What was sent; unknown choices fall back to the defaults."""
        given = {one.name: str(data.get(one.name, "")).strip()[:256] for one in fields(cls)}
        if given["side"] not in ("BUY", "SELL"):
            given["side"] = "BUY"
        if given["type"] not in ("market", "limit"):
            given["type"] = "market"
        if given["outcome"] not in ("0", "1"):
            given["outcome"] = "0"
        if given["tif"] not in ("GTC", "GTD"):
            given["tif"] = "GTC"
        if given["unit"] != "usd" or given["side"] == "SELL" or given["type"] == "limit":
            given["unit"] = "shares"
        return cls(**given)

    @classmethod
    def from_query(cls, query: Mapping[str, Any], *, view: MarketView) -> "TicketForm":
        """The form as a link opened it: outcome, side, type and limit price are taken over."""
        form = cls.from_post(
            {
                "market": view.market.condition_id,
                "side": query.get("side", "BUY"),
                "type": query.get("type", "limit" if view.are_market_orders_off else "market"),
                "outcome": query.get("outcome", "0"),
                "size": str(query.get("size", ""))[:20],
                "unit": query.get("unit", "usd"),
                "client_order_id": new_key(),
            }
        )
        return replace(form, limit=form._starting_limit(str(query.get("price", "")), view))

    def _starting_limit(self, asked: str, view: MarketView) -> str:
        """The price a link names (in dollars), else the best price of the own side."""
        try:
            price = Decimal(asked)
        except InvalidOperation:
            ladder = view.ladder(int(self.outcome))
            near, far = ladder.best_bid, ladder.best_ask
            found = (near or far) if self.side == "BUY" else (far or near)
            price = found if found is not None else Decimal(-1)
        if not price.is_finite() or not 0 < price < 1:
            return ""
        return price_cents_text(price).rstrip("¢")

    @property
    def hidden_fields(self) -> list[tuple[str, str]]:
        """Everything but what the confirm page asks for itself."""
        names = [one.name for one in fields(self) if one.name != "accept"]
        return [(name, getattr(self, name)) for name in names if getattr(self, name)]

    @property
    def is_buy(self) -> bool:
        """Whether shares are bought."""
        return self.side == "BUY"


@dataclass(frozen=True)
class StripLevel:
    """One level that the order would take, drawn to scale."""

    price: Decimal
    quantity: Decimal
    weight: int
    opacity: str


@dataclass(frozen=True)
class TicketPreview:
    """What the ticket and the confirm step show. Money, prices and shares are Decimals."""

    action: str = ""
    button: str = "Review order"
    outcome_label: str = ""
    outcome_index: int = 0
    is_buy: bool = True
    is_empty: bool = False
    hint: str = ""
    error: str = ""
    can_place: bool = False
    needs_confirmation: bool = True
    must_accept: bool = False
    fill_quantity: Decimal = Decimal(0)
    resting_quantity: Decimal = Decimal(0)
    average: Decimal | None = None
    best: Decimal | None = None
    limit: Decimal | None = None
    worst: Decimal | None = None
    cost: Decimal = Decimal(0)
    hold: Decimal = Decimal(0)
    fee: Decimal = Decimal(0)
    total: Decimal | None = None
    payout: Decimal | None = None
    profit: Decimal | None = None
    profit_ratio: Decimal | None = None
    realised: Decimal | None = None
    available_after: Decimal | None = None
    slippage: Decimal | None = None
    levels: tuple[StripLevel, ...] = field(default=())
    level_count: int = 0
    eaten: str = ""
    crossing_words: str = ""
    thin_words: str = ""
    room_lines: tuple[tuple[str, Decimal], ...] = field(default=())
    room_warning: str = ""


def new_key() -> str:
    """The idempotency key of one form."""
    return f"web-{uuid.uuid4().hex}"


def read_number(text: str, name: str) -> Decimal:
    """A positive number as people type it: 1,400 or 63.5¢ or $50; raises FormProblem."""
    cleaned = text.strip().strip("$¢").strip().replace(" ", "").replace("\u00a0", "")
    if len(cleaned) > TEXT_LENGTH_MAX:
        raise FormProblem(f"{name} is too long to be a number.")
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d*)?", cleaned):
        cleaned = cleaned.replace(",", "")
    cleaned = cleaned.replace(",", ".")
    if not re.fullmatch(r"\d{0,15}(\.\d{0,12})?", cleaned) or not any(map(str.isdigit, cleaned)):
        raise FormProblem(f"{name} is not a number: “{text[:20]}”.")
    number = Decimal(cleaned)
    if number <= 0:
        raise FormProblem(f"{name} must be above zero.")
    return number


def to_command(
    form: TicketForm, *, account: Account, terms: MarketTerms, zone: ZoneInfo
) -> PlaceOrder:
    """The order that the form asks for; raises FormProblem when it cannot be read."""
    outcome = terms.outcomes[int(form.outcome)]
    name = "The amount" if form.unit == "usd" else "The number of shares"
    size = read_number(form.size, name)
    is_market = form.type == "market"
    if is_market:
        price = _worst_price(form, terms, outcome)
    else:
        if not form.limit:
            raise FormProblem("Give a limit price in cents.")
        price = read_number(form.limit, "The limit price") / 100
    is_dated = not is_market and form.tif == "GTD"
    return PlaceOrder(
        market_id=terms.condition_id,
        side=form.side,
        outcome=outcome.label,
        order_type=form.type,
        time_in_force="FOK" if is_market else form.tif,
        quantity=None if form.unit == "usd" else _at_most_places(size, 4, name),
        amount=_at_most_places(size, 2, name) if form.unit == "usd" else None,
        price=_at_most_places(price, 6, "The price"),
        expiration=str(_read_until(form.until, zone)) if is_dated else None,
        post_only=bool(form.post_only) and not is_market,
        client_order_id=form.client_order_id or None,
        wallet_id=account.id,
    )


def _at_most_places(number: Decimal, places: int, name: str) -> Decimal:
    if -int(number.normalize().as_tuple().exponent) > places:
        raise FormProblem(f"{name} has more than {places} decimal places.")
    return number


def _read_until(text: str, zone: ZoneInfo) -> int:
    """Unix seconds of a date and time in the person's zone."""
    try:
        local = datetime.fromisoformat(text)
        return int(local.replace(tzinfo=zone).timestamp())
    except (ValueError, OverflowError) as error:
        raise FormProblem("Say until when the order stays good.") from error


def _worst_price(form: TicketForm, terms: MarketTerms, outcome: OutcomeTerms) -> Decimal:
    """What the form names, else the best price and 2 cents more (or less, for a sale)."""
    if form.worst:
        price = read_number(form.worst, "The worst price") / 100
        if price > 1:
            raise FormProblem("The worst price is at most 100¢.")
        return price
    live = read_live_market(terms.condition_id)
    book = live.merged_book(outcome.index)
    best = book.best_ask if form.is_buy else book.best_bid
    if best is None:
        side = "sells" if form.is_buy else "buys"
        raise FormProblem(f"Nobody {side} {outcome.label} at the moment. Leave a limit order.")
    room = DEFAULT_ROOM if form.is_buy else -DEFAULT_ROOM
    tick = from_scaled(terms.tick)
    return min(1 - tick, max(tick, from_scaled(best) + room))


def caller_of(user: User) -> Caller:
    """The person at the website; the daily cap of plans counts orders by key only."""
    return Caller(user_id=user.pk)


def describe(
    request: HttpRequest, form: TicketForm, *, view: MarketView | None = None
) -> TicketPreview:
    """The preview of a form for its account: never raises, always says what is wrong."""
    shell = get_shell(request)
    account = next((one for one in shell.accounts if str(one.id) == form.wallet), None)
    if view is not None:
        account = shell.account
    terms = get_market_terms(form.market)
    if account is None or terms is None:
        return TicketPreview(error="This form is out of date. Reload the page.")
    outcome = terms.outcomes[int(form.outcome)]
    base = TicketPreview(
        outcome_label=outcome.label,
        outcome_index=outcome.index,
        is_buy=form.is_buy,
        button=f"Review order in {account.name}",
        needs_confirmation=needs_confirmation(request, account, None),
    )
    if not account.can_trade:
        return replace(base, error=account.closed_reason)
    if not form.size:
        return replace(base, is_empty=True, hint=_hint(form))
    try:
        command = to_command(form, account=account, terms=terms, zone=shell.zone)
    except FormProblem as problem:
        return replace(base, error=str(problem))
    except ServiceUnavailable as error:
        return replace(base, error=error.message)
    with account.building():
        found = preview_order(command=command, caller=caller_of(shell.user), now=utc_now())
    return _in_words(request, base, form, command, found, account, terms)


def _hint(form: TicketForm) -> str:
    if form.unit == "usd":
        return "Enter how much to spend. The preview shows price, fee and payout before you place."
    return "Enter a number of shares. The preview shows price, fee and payout before you place."


def needs_confirmation(request: HttpRequest, account: Account, total: Decimal | None) -> bool:
    """The person's setting; a firm account always asks at the first trade of a session."""
    user = get_shell(request).user
    if account.firm_name and not request.session.get(f"traded:{account.id}"):
        return True
    if user.order_confirmation == User.Confirmation.ABOVE:
        return total is None or total > user.confirm_above_usd
    return bool(user.order_confirmation != User.Confirmation.NEVER)


def _in_words(
    request: HttpRequest,
    base: TicketPreview,
    form: TicketForm,
    command: PlaceOrder,
    found: Preview,
    account: Account,
    terms: MarketTerms,
) -> TicketPreview:
    outcome = terms.outcomes[int(form.outcome)]
    verb = "Buy" if form.is_buy else "Sell"
    quantity = found.filled_quantity + found.resting_quantity or command.quantity
    amount = shares_text(quantity) if quantity else f"{money_text(command.amount or Decimal(0))} of"
    what = f"{verb} {amount} {outcome.label}"
    limit = command.price if command.order_type == "limit" else None
    at = f" at {price_cents_text(limit)}" if limit is not None else ""
    shown = replace(
        base,
        action=f"{what}{at} in {account.name}",
        button=f"{what} in {account.name}" if found.refusal is None else base.button,
        error=refusal_words(found, command, terms),
        can_place=found.refusal is None,
        thin_words=_thin_words(found, command, outcome),
    )
    if found.refusal is not None and not found.filled_quantity:
        return replace(shown, total=None)
    shown = _with_room(shown, found, account, outcome)
    is_steep = found.slippage != "none" and command.order_type == "market"
    percent = found.slippage_percent
    profit_percent = found.profit_percent
    return replace(
        shown,
        needs_confirmation=needs_confirmation(request, account, found.total),
        must_accept=is_steep and found.slippage == "red",
        fill_quantity=found.filled_quantity,
        resting_quantity=found.resting_quantity,
        average=found.average_price,
        best=found.best_price,
        limit=limit,
        worst=command.price if command.order_type == "market" else None,
        cost=found.notional,
        hold=found.hold,
        fee=found.fee,
        total=found.total,
        payout=found.payout_if_right,
        profit=found.profit_if_right,
        profit_ratio=None if profit_percent is None else profit_percent / 100,
        realised=_realised(found, account, outcome) if not form.is_buy else None,
        available_after=found.balance_after,
        slippage=percent / 100 if is_steep and percent is not None else None,
        levels=_strip(found),
        level_count=len(found.levels),
        eaten=" ".join(f"{price:f}" for price, _ in found.levels),
        crossing_words=_crossing_words(found, command, outcome),
    )


def _with_room(
    shown: TicketPreview, found: Preview, account: Account, outcome: OutcomeTerms
) -> TicketPreview:
    """For accounts under rules: what a total loss of this order would leave of the limits."""
    room = read_room(account, now=utc_now()) if shown.is_buy and found.total else None
    if room is None or found.total is None:
        return shown
    return replace(
        shown,
        room_lines=room_lines(room, found.total),
        room_warning=room_warning(room, found.total, outcome.outcome_id),
    )


def refusal_words(found: Preview, command: PlaceOrder, terms: MarketTerms) -> str:
    """Why it would be refused now, with the market's own figures; "" when it would be placed."""
    if found.refusal is None:
        return ""
    if found.refusal.code == "INVALID_ORDER_MIN_TICK_SIZE" and command.price is not None:
        tick = price_cents_text(from_scaled(terms.tick))
        return (
            f"{(command.price * 100).normalize():f}¢ is not on this market's price grid: prices "
            f"move in steps of {tick}."
        )
    if found.refusal.code == "ORDER_BELOW_MIN_SIZE":
        least = shares_text(from_scaled(terms.minimum_size))
        return f"The order is smaller than this market's minimum size of {least} shares."
    if found.refusal.code == "FOK_ORDER_NOT_FILLED_ERROR":
        return "The book cannot fill this order within your price."
    return words_of(found.refusal, found)


def words_of(refusal: PolysimError, found: Preview | None = None) -> str:
    """A refusal as the ticket says it, with the figures that explain it."""
    if refusal.code == "INSUFFICIENT_BALANCE" and found and found.balance_before is not None:
        needed = f" It needs {money_text(found.total)}." if found.total else ""
        return (
            f"Not enough cash: {money_text(found.balance_before)} is available, fee and reserve "
            f"included.{needed}"
        )
    return refusal.message


def _thin_words(found: Preview, command: PlaceOrder, outcome: OutcomeTerms) -> str:
    """How many shares exist within the price, when that is why it does not fill."""
    codes = ("FOK_ORDER_NOT_FILLED_ERROR", "INSUFFICIENT_LIQUIDITY", "NO_EXECUTABLE_DEPTH")
    if found.refusal is None or found.refusal.code not in codes or command.price is None:
        return ""
    reach = "up to" if command.side == "BUY" else "down to"
    return (
        f"The book has {shares_text(found.quantity_available)} {outcome.label} "
        f"{reach} {price_cents_text(command.price)}. Take fewer, accept a worse price, or leave "
        "a limit order."
    )


def _crossing_words(found: Preview, command: PlaceOrder, outcome: OutcomeTerms) -> str:
    if command.order_type != "limit" or not found.crosses_now or found.average_price is None:
        return ""
    about = price_cents_text(found.average_price)
    part = shares_text(found.filled_quantity)
    return f"{part} {outcome.label} fill now at about {about}, as the price crosses the book."


def _realised(found: Preview, account: Account, outcome: OutcomeTerms) -> Decimal | None:
    """What the sale brings over what those shares cost, fee included."""
    for holding in account.holdings:
        position = holding.position
        if position.outcome_id == outcome.outcome_id and position.quantity:
            cost = position.cost * found.filled_quantity / position.quantity
            return found.notional - found.fee - cost if found.filled_quantity else None
    return None


def _strip(found: Preview) -> tuple[StripLevel, ...]:
    shown = found.levels[:STRIP_LEVELS]
    return tuple(
        StripLevel(price, quantity, max(1, int(quantity)), STRIP_OPACITIES[index])
        for index, (price, quantity) in enumerate(shown)
    )
