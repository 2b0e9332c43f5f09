"""Placing orders (trading-api 4.1, 7, 8, 9).

The write path: validate, read the live book, match, take the depth, one statement, publish. The
database is asked once; what it refuses gives the depth back. Contract order of refusals: schema,
idempotency, user lock, wallet, market, rules, halt, shares and cash, matching.
"""

import logging
import time
import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from polysim.kernel.errors import PolysimError, ServiceUnavailable
from polysim.kernel.tenancy import require_building
from trading.markets.books import LiveMarket
from trading.services.key_claims import claim_order_key
from trading.services.market_terms import (
    MarketTerms,
    OutcomeTerms,
    forget_market_terms,
    get_market_terms,
)
from trading.services.order_checks import find_refusal
from trading.services.order_events import hold_interest, publish_placed
from trading.services.order_matching import Matched, match_command
from trading.services.order_prices import Prices, hold_prices
from trading.services.order_request import Caller, PlaceOrder
from trading.services.order_statement import order_request, refused_request
from trading.services.refusals import ServerBusy, refusal_of
from trading.services.statements import call_repeatable

logger = logging.getLogger(__name__)

# Others may take the same depth between reading and taking it.
TAKE_TRIES_MAX = 12
# Waiting longer than this for the user's lock, the order reads the book again (7.2).
REMATCH_AFTER_MS = 250
NEVER_MS = 2_000_000_000
# The first, and one after a long wait.
SENDINGS_MAX = 2


def place_order(*, command: PlaceOrder, caller: Caller, now: datetime) -> dict[str, Any]:
    """Place one order in the current building and answer the body of trading-api 4.1.

    It is committed when this returns; inside a transaction of the caller, with that. Raises one
    of `trading.services.refusals` and then has moved nothing.
    """
    with (
        claim_order_key(user_id=caller.user_id, order_key=command.key),
        hold_prices(
            wallet_id=command.wallet_id, now=now, is_system=caller.placed_by == "system"
        ) as prices,
    ):
        return _place(command, caller, prices)


def _place(command: PlaceOrder, caller: Caller, prices: Prices) -> dict[str, Any]:
    schema, now = require_building(), prices.at
    terms, live, refusal = _validate(command, prices)
    key = command.key or f"auto:{uuid.uuid4().hex}"
    if refusal is not None:
        return _send_refused(command, caller, refusal=refusal, key=key, now=now)
    assert terms is not None
    assert live is not None
    outcome = terms.find_outcome(command.outcome)
    assert outcome is not None, "the label was checked before"
    answer = _match_and_send(command, caller, terms, outcome, live, key=key, prices=prices)
    if not answer["is_replay"]:
        _announce(answer, caller=caller, schema=schema, now=now)
    return answer


def _match_and_send(
    command: PlaceOrder,
    caller: Caller,
    terms: MarketTerms,
    outcome: OutcomeTerms,
    live: LiveMarket,
    *,
    key: str,
    prices: Prices,
) -> dict[str, Any]:
    """Match, take, write; again with the newest book after a long wait for the user's lock."""
    now = prices.at
    deadline = time.monotonic() + settings.LOCK_WAIT_MS / 1000
    rematch_after_ms = REMATCH_AFTER_MS
    for _ in range(SENDINGS_MAX):
        matched = _match_and_take(command, terms, outcome, live, prices)
        request = order_request(command, caller, terms, outcome, matched, key=key, now=now)
        left_ms = int((deadline - time.monotonic()) * 1000)
        request["wait_ms"] = max(left_ms, 1)
        request["rematch_after_ms"] = rematch_after_ms
        sent = _send(command, matched, request, prices)
        if "answer" in sent:
            answer: dict[str, Any] = sent["answer"]
            return answer
        code = sent.get("refused")
        if code is not None:
            raise _refusal(code, matched, now=now)
        rematch_after_ms = NEVER_MS
        live = prices.read(terms.condition_id)
    raise ServerBusy()


def _validate(
    command: PlaceOrder, prices: Prices
) -> tuple[MarketTerms | None, LiveMarket | None, str | None]:
    terms = get_market_terms(command.market_id)
    live: LiveMarket | None = None
    if terms is not None and terms.is_open:
        try:
            live = prices.read(terms.condition_id)
        except ServiceUnavailable:
            # The rows may know the order already; only a new one is refused for it.
            logger.warning("An order meets no live prices: Valkey does not answer.")
    return terms, live, find_refusal(command, terms, live, now=prices.at)


def _match_and_take(
    command: PlaceOrder,
    terms: MarketTerms,
    outcome: OutcomeTerms,
    live: LiveMarket,
    prices: Prices,
) -> Matched:
    """Match against the newest book until the levels wanted could be taken."""
    for _ in range(TAKE_TRIES_MAX):
        matched = match_command(command, terms, outcome, live, now=prices.at)
        if matched.refusal is not None or not matched.takes:
            return matched
        if prices.take(live, matched.takes):
            return matched
        live = prices.read(terms.condition_id)
    raise ServerBusy()


def _send_refused(
    command: PlaceOrder, caller: Caller, *, refusal: str, key: str, now: datetime
) -> dict[str, Any]:
    """Idempotency and wallet speak before the rule that was broken."""
    request = refused_request(command, caller, refusal=refusal, key=key, now=now)
    request["rematch_after_ms"] = NEVER_MS
    sent = call_repeatable("place_order", request, has_client_key=command.key is not None)
    if "answer" in sent:
        replayed: dict[str, Any] = sent["answer"]
        replayed.pop("attempt", None)
        return replayed
    code = sent["refused"]
    raise refusal_of(refusal if code == "BY_VALIDATION" else code, now=now)


def _send(
    command: PlaceOrder, matched: Matched, request: dict[str, Any], prices: Prices
) -> dict[str, Any]:
    """What the function answered; depth that was taken for nothing is given back.

    Where the outcome stays unknown it is not: offering the same shares twice would be worse than
    hiding them until the level's next update.
    """
    taken = matched.takes if matched.refusal is None else {}
    attempt = request["answer"]["attempt"] = uuid.uuid4().hex
    try:
        sent = call_repeatable("place_order", request, has_client_key=command.key is not None)
    except ServerBusy:
        prices.give_back(matched.live, taken)
        raise
    answer = sent.get("answer")
    if answer is None or answer.pop("attempt", None) != attempt:
        prices.give_back(matched.live, taken)
    elif answer["is_replay"]:
        # The connection was lost after the commit: the repeat found the order of this very call.
        figures = ("spread_bps", "impact_bps", "book_walk_levels")
        answer.update({name: request["answer"][name] for name in figures}, is_replay=False)
    return sent


def _refusal(code: str, matched: Matched, *, now: datetime) -> PolysimError:
    if code == "MARKET_CLOSED":
        forget_market_terms(matched.live.condition_id)
    if code == "BY_MATCHING":
        assert matched.refusal is not None
        code = matched.refusal
    return refusal_of(code, now=now)


def _announce(answer: dict[str, Any], *, caller: Caller, schema: str, now: datetime) -> None:
    """After commit: sockets, matcher, and the feed's interest in the market."""

    def publish() -> None:
        publish_placed(answer, user_id=caller.user_id, schema=schema, now=now)
        if answer["status"] == "PENDING":
            hold_interest("orders", answer["market_id"])
        if answer["trade_ids"]:
            hold_interest("positions", answer["market_id"])

    transaction.on_commit(publish)
