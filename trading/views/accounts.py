"""The shell's own addresses: switching accounts, the account bar, the feed, the theme."""

import json
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from polysim.kernel.clock import to_milliseconds, utc_now
from polysim.kernel.errors import ServiceUnavailable
from tenants.models import User
from trading.markets import books
from trading.markets.books import frames
from trading.markets.cards import load_cards
from trading.views.common import SeeOther, is_fragment, next_path, own_account, signed_in
from trading.views.context import ACCOUNT_KEY, get_shell

POLLED_MARKETS_MAX = 60


@require_POST
@signed_in
def switch_account(request: HttpRequest) -> HttpResponse:
    """Make another own account the active one of this session and return to the page."""
    account = own_account(request, request.POST.get("wallet"))
    request.session[ACCOUNT_KEY] = account.id
    messages.info(request, f"{account.name} is the active account.", extra_tags="quiet")
    return SeeOther(next_path(request, "/markets/"))


@require_safe
@signed_in
def account_list(request: HttpRequest) -> HttpResponse:
    """All accounts, for people with more than the switcher shows."""
    return render(request, "accounts.html", {"section": "accounts"})


@require_safe
@signed_in
def account_bar(request: HttpRequest) -> HttpResponse:
    """The bar below the top, freshly valued."""
    if get_shell(request).account is None:
        return HttpResponse(status=204)
    return render(request, "parts/account_bar.html")


@require_safe
def feed_banner(request: HttpRequest) -> HttpResponse:
    """What stands above the page while prices are synthetic, replayed, halted or still."""
    return render(request, "parts/feed_banner.html")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Remember light or dark: named by a script, else the other one than now."""
    user = get_shell(request).user
    wanted = request.POST.get("theme", "")
    if user is not None:
        if wanted not in User.Theme.values:
            is_dark = user.theme == User.Theme.DARK
            wanted = User.Theme.LIGHT if is_dark else User.Theme.DARK
        User.objects.filter(pk=user.pk).update(theme=wanted)
    if is_fragment(request):
        return HttpResponse(status=204)
    referrer = request.headers.get("Referer", "")
    path = referrer.partition(request.get_host())[2] if request.get_host() in referrer else ""
    is_own = url_has_allowed_host_and_scheme(path, allowed_hosts=None)
    return SeeOther(path if path.startswith("/") and is_own else "/markets/")


@require_safe
def live_frames(request: HttpRequest) -> JsonResponse:
    """The frames of the socket, asked for by pages that have none at the moment."""
    asked = request.GET.getlist("market")[:POLLED_MARKETS_MAX]
    wanted = [*dict.fromkeys([*asked, *request.GET.getlist("book")[:2]])]
    try:
        return JsonResponse({"frames": _frames(wanted, request.GET.getlist("book")[:2])})
    except ServiceUnavailable as error:
        return JsonResponse({"frames": [], "message": error.message}, status=503)


def _frames(condition_ids: list[str], book_ids: list[str]) -> list[dict[str, Any]]:
    now_ms = to_milliseconds(utc_now())
    live = books.read_live_markets(condition_ids, note_interest=True)
    texts = [frames.feed_frame(books.read_feed_state(), now_ms=now_ms)]
    for card, price, updated_ms in load_cards(condition_ids):
        market = live.get(card.condition_id)
        if market is None or not any(market.books):
            texts.append(
                frames.catalogue_price_frame(
                    card, price=price, updated_ms=updated_ms, emit_ms=now_ms
                )
            )
            continue
        texts.append(
            frames.price_frame(
                card,
                market.books,
                emit_ms=now_ms,
                changed_ms=market.confirmed_at_ms,
                confirmed_ms=market.confirmed_at_ms,
            )
        )
        if card.condition_id in book_ids:
            texts.append(
                frames.book_frame(
                    card.condition_id,
                    market.books,
                    emit_ms=now_ms,
                    confirmed_ms=market.confirmed_at_ms,
                )
            )
    return [json.loads(text) for text in texts]
