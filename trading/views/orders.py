"""Placing and cancelling from the pages: preview, confirm, place, cancel, by form or by script."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from trading.formats import money_text, price_cents_text, shares_text
from trading.services import cancel_all_orders, cancel_market_orders, cancel_order, place_order
from trading.services.market_terms import get_market_terms
from trading.services.refusals import MarketNotFound, OutcomeUnknown
from trading.views.common import SeeOther, is_fragment, next_path, own_account, signed_in
from trading.views.context import get_shell
from trading.views.ticket import (
    FormProblem,
    TicketForm,
    caller_of,
    describe,
    needs_confirmation,
    new_key,
    to_command,
    words_of,
)

NOT_PLACED = "The order was not placed and no money moved."


@dataclass(frozen=True)
class Result:
    """What became of a confirmed order, in words."""

    title: str
    detail: str = ""
    code: str = ""
    request_id: str = ""
    link: str = ""
    link_words: str = ""
    is_refused: bool = False
    is_filled: bool = False
    next_key: str = ""
    status: int = 200


@require_POST
@signed_in
def preview(request: HttpRequest) -> HttpResponse:
    """The ticket's figures for what is typed; writes nothing."""
    form = TicketForm.from_post(request.POST)
    context = {"form": form, "preview": describe(request, form)}
    return render(request, "parts/preview.html", context)


@require_POST
@signed_in
def review(request: HttpRequest) -> HttpResponse:
    """The confirm step: account, action, totals. As a page, or for the dialog."""
    return _render_review(request, TicketForm.from_post(request.POST))


def _render_review(
    request: HttpRequest, form: TicketForm, *, result: Result | None = None, status: int = 200
) -> HttpResponse:
    account = own_account(request, form.wallet)
    terms = get_market_terms(form.market)
    if terms is None:
        raise MarketNotFound()
    if not form.client_order_id:
        form = TicketForm.from_post({**dict(_pairs(form)), "client_order_id": new_key()})
    context = {
        "section": "markets",
        "account": account,
        "form": form,
        "preview": describe(request, form),
        "question": terms.question,
        "market_path": reverse("market", args=[terms.slug]),
        "result": result,
    }
    template = "parts/review.html" if is_fragment(request) else "order_review.html"
    return render(request, template, context, status=status)


def _pairs(form: TicketForm) -> list[tuple[str, str]]:
    return [*form.hidden_fields, ("accept", form.accept)]


@require_POST
@signed_in
def place(request: HttpRequest) -> HttpResponse:
    """Place a confirmed order; an unconfirmed one that has to be is shown for confirmation."""
    form = TicketForm.from_post(request.POST)
    account = own_account(request, form.wallet)
    terms = get_market_terms(form.market)
    if terms is None:
        raise MarketNotFound()
    if not form.accept or request.POST.get("confirmed") != "1":
        shown = describe(request, form)
        if shown.must_accept and not form.accept:
            result = _refused("Tick that you accept the price, then place it again.")
            return _answer(request, form, result)
        is_confirmed = request.POST.get("confirmed") == "1"
        if not is_confirmed and needs_confirmation(request, account, shown.total):
            return _render_review(request, form)
    try:
        if not account.can_trade:
            raise FormProblem(account.closed_reason)
        command = to_command(form, account=account, terms=terms, zone=get_shell(request).zone)
        with account.building():
            answer = place_order(
                command=command, caller=caller_of(get_shell(request).user), now=utc_now()
            )
    except FormProblem as problem:
        return _answer(request, form, _refused(str(problem)))
    except PolysimError as error:
        return _answer(request, form, _refusal(request, error))
    request.session[f"traded:{account.id}"] = True
    return _answer(request, form, _placed(answer, account.name))


def _refused(detail: str) -> Result:
    return Result(NOT_PLACED, detail, is_refused=True, next_key=new_key(), status=400)


def _refusal(request: HttpRequest, error: PolysimError) -> Result:
    is_unknown = isinstance(error, OutcomeUnknown)
    return Result(
        title="We cannot say whether this order exists." if is_unknown else NOT_PLACED,
        detail=words_of(error),
        code=error.body_code or error.code,
        request_id=getattr(request, "request_id", ""),
        is_refused=True,
        next_key="" if is_unknown else new_key(),
        status=error.status,
    )


def _placed(answer: dict[str, Any], account_name: str) -> Result:
    """Fill, rest and both in words."""
    label = answer["outcome"]
    verb = "Bought" if answer["side"] == "BUY" else "Sold"
    filled = Decimal(answer["filled_quantity"])
    asked = Decimal(answer["requested_quantity"])
    price = Decimal(answer["price"])
    parts = []
    if filled:
        average = Decimal(answer["notional"]) / filled
        shown = price if answer["status"] == "FILLED" else average
        parts.append(
            f"{verb} {shares_text(filled)} {label} at {price_cents_text(shown)}, "
            f"fee {money_text(Decimal(answer['fee']))}."
        )
    if answer["status"] == "PENDING":
        limit = Decimal(answer.get("limit_price") or answer["price"])
        rest = shares_text(asked - filled)
        parts.append(
            f"{rest} {label} wait{'s' if asked - filled == 1 else ''}"
            f"{'' if filled else f' at {price_cents_text(limit)}'} in Open orders."
        )
    title = {"FILLED": "Filled.", "PENDING": "Order placed."}.get(answer["status"], "Not filled.")
    if filled and answer["status"] == "PENDING":
        title = "Part filled."
    if answer["status"] == "CANCELLED":
        parts.append("Nothing could be filled and nothing rests; no money moved.")
    if answer.get("is_replay"):
        title = f"Placed before. {title}"
    return Result(
        title=title,
        detail=" ".join(parts),
        link=reverse("portfolio"),
        link_words=f"Portfolio of {account_name}",
        is_filled=bool(filled),
        next_key=new_key(),
    )


def _answer(request: HttpRequest, form: TicketForm, result: Result) -> HttpResponse:
    """A script gets the result; a form goes back to the market with it as a message."""
    if is_fragment(request):
        return render(request, "parts/order_result.html", {"result": result}, status=result.status)
    if result.is_refused:
        return _render_review(request, form, result=result, status=result.status)
    level = messages.SUCCESS if result.is_filled else messages.INFO
    messages.add_message(request, level, f"{result.title} {result.detail}")
    terms = get_market_terms(form.market)
    path = reverse("market", args=[terms.slug]) if terms else reverse("portfolio")
    return SeeOther(f"{path}?outcome={form.outcome}")


@require_POST
@signed_in
def cancel(request: HttpRequest, order_id: int) -> HttpResponse:
    """Cancel one resting order of the account that the form names."""
    account = own_account(request, request.POST.get("wallet"))
    try:
        with account.building():
            answer = cancel_order(
                user_id=get_shell(request).user.pk,
                order_id=order_id,
                wallet_ids=[account.id],
                now=utc_now(),
            )
    except PolysimError as error:
        return _told(request, error.message, is_error=True, status=error.status)
    rest = Decimal(answer["requested_quantity"]) - Decimal(answer["filled_quantity"])
    words = f"{shares_text(rest)} {answer['outcome']} taken back."
    return _told(request, words)


@require_POST
@signed_in
def cancel_all(request: HttpRequest) -> HttpResponse:
    """Cancel every resting order of an account, in one market if the form names it."""
    account = own_account(request, request.POST.get("wallet"))
    condition_id = request.POST.get("market", "")
    user_id = get_shell(request).user.pk
    try:
        with account.building():
            if condition_id:
                done = cancel_market_orders(
                    user_id=user_id,
                    wallet_ids=[account.id],
                    condition_id=condition_id,
                    now=utc_now(),
                )
            else:
                done = cancel_all_orders(user_id=user_id, wallet_ids=[account.id], now=utc_now())
    except PolysimError as error:
        return _told(request, error.message, is_error=True, status=error.status)
    count = len(done.cancelled)
    return _told(request, f"{count} order{'' if count == 1 else 's'} cancelled.")


def _told(
    request: HttpRequest, words: str, *, is_error: bool = False, status: int = 200
) -> HttpResponse:
    if is_fragment(request):
        return JsonResponse({"words": words}, status=status)
    messages.add_message(request, messages.ERROR if is_error else messages.SUCCESS, words)
    return SeeOther(next_path(request, reverse("portfolio")))
