"""`/challenges/buy/<program>/`: every phase's rules in words and money, payer, fee, confirm.

The form carries a fresh idempotency key, so that a double click buys once.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from prop.selectors.pages.buying import BuyPage, read_buy_page
from prop.services.payers import ensure_payer_account
from prop.services.purchases import buy_challenge, retry_purchase
from prop.services.refunds import cancel_purchase
from prop.views.common import address, in_firm
from tenants.models import Firm
from trading.views.common import SeeOther
from trading.views.context import get_shell

KEY_LENGTH_MAX = 128


@require_http_methods(["GET", "HEAD", "POST"])
@in_firm
def buy_page(request: HttpRequest, program_id: int, *, firm: Firm) -> HttpResponse:
    """The offer with its payer accounts; POST buys it."""
    user = get_shell(request).user
    if request.method == "POST":
        return _buy(request, program_id, firm)
    ensure_payer_account(customer=user, now=utc_now())
    chosen = _login(request.GET.get("payer"))
    page = read_buy_page(program_id=program_id, customer=user, login=chosen, now=utc_now())
    return _page(request, page, firm)


def _buy(request: HttpRequest, program_id: int, firm: Firm) -> HttpResponse:
    user = get_shell(request).user
    login = _login(request.POST.get("payer_login"))
    problem = ""
    if request.POST.get("understood") != "1":
        problem = "Tick the box to buy; nothing was taken."
    elif login is None:
        problem = "Choose the account that pays; nothing was taken."
    else:
        try:
            bought = buy_challenge(
                customer=user,
                program_id=program_id,
                payer_login=login,
                idempotency_key=request.POST.get("idempotency_key", "")[:KEY_LENGTH_MAX],
                now=utc_now(),
            )
        except PolysimError as error:
            problem = f"{error.message} Nothing was taken."
        else:
            if bought.challenge is None:
                return SeeOther(address("my_challenges", firm))
            messages.info(request, "The challenge is yours. Its account is ready to trade.")
            return SeeOther(address("challenge", firm, bought.challenge.pk))
    page = read_buy_page(program_id=program_id, customer=user, login=login, now=utc_now())
    return _page(request, page, firm, problem=problem, status=422)


def _page(
    request: HttpRequest, page: BuyPage, firm: Firm, *, problem: str = "", status: int = 200
) -> HttpResponse:
    sent = request.POST.get("idempotency_key", "")
    context: dict[str, Any] = {
        "section": "challenges",
        "page": page,
        "firm": firm,
        "problem": problem,
        "idempotency_key": sent or f"web-{uuid.uuid4().hex}",
    }
    return render(request, "prop/buy.html", context, status=status)


@require_POST
@in_firm
def retry(request: HttpRequest, purchase_id: int, *, firm: Firm) -> HttpResponse:
    """Try a failed purchase again from its last finished step."""
    try:
        bought = retry_purchase(
            purchase_id=purchase_id, customer=get_shell(request).user, now=utc_now()
        )
    except PolysimError as error:
        if error.status == 404:
            raise
        messages.error(request, f"{error.message} Nothing was taken.")
        return SeeOther(address("challenges", firm))
    if bought.challenge is not None:
        return SeeOther(address("challenge", firm, bought.challenge.pk))
    messages.error(request, "It did not work this time either; the reason stands below.")
    return SeeOther(address("challenges", firm))


@require_POST
@in_firm
def cancel(request: HttpRequest, purchase_id: int, *, firm: Firm) -> HttpResponse:
    """Cancel an unpaid purchase, or a paid one that failed: the fee goes back."""
    try:
        purchase = cancel_purchase(
            customer=get_shell(request).user, purchase_id=purchase_id, now=utc_now()
        )
    except PolysimError as error:
        if error.status == 404:
            raise
        messages.error(request, error.message)
    else:
        is_refunded = purchase.payment_status == "refunded"
        messages.info(
            request, "Cancelled, the fee was given back." if is_refunded else "Cancelled."
        )
    return SeeOther(address("challenges", firm))


def _login(text: str | None) -> int | None:
    is_number = text is not None and text.isascii() and text.isdigit() and len(text) < 19
    return int(text or 0) if is_number else None
