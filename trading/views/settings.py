"""`/settings/`: profile, wallets, display. Each form is small and says what it did."""

from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import enter_building
from tenants.models import User, WalletKind
from trading.services import archive_wallet, reset_api_wallet, reset_wallet
from trading.views.common import SeeOther, own_account, signed_in
from trading.views.context import ACCOUNT_KEY, get_shell
from wallets.billing.selectors import get_plan_terms
from wallets.selectors.resets import read_reset_allowance

DISPLAY_NAME_LENGTH_MAX = 64
CONFIRM_ABOVE_MAX = Decimal(1_000_000)


@require_safe
@signed_in
def settings_page(request: HttpRequest) -> HttpResponse:
    """The whole page."""
    user = get_shell(request).user
    return render(request, "settings.html", _context(request, user))


def _context(request: HttpRequest, user: User) -> dict[str, Any]:
    terms = get_plan_terms(user.plan)
    own = get_shell(request).own_accounts
    main = next((account for account in own if account.wallet.kind == WalletKind.MAIN), None)
    with enter_building(settings.RETAIL_SCHEMA):
        allowance = (
            read_reset_allowance(
                wallet=main.wallet, resets_max=terms.main_free_resets_30d, now=utc_now()
            )
            if main
            else None
        )
    sandboxes = [account for account in own if account.wallet.kind == WalletKind.SANDBOX]
    return {
        "section": "settings",
        "terms": terms,
        "allowance": allowance,
        "sandboxes": sandboxes,
        "can_open_sandbox": terms.may_create_sandbox and len(sandboxes) < terms.max_sandbox_wallets,
        "zones": sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC"),
        "themes": User.Theme.choices,
        "confirmations": User.Confirmation.choices,
    }


@require_POST
@signed_in
def save_profile(request: HttpRequest) -> HttpResponse:
    """Name and time zone."""
    user = get_shell(request).user
    name = " ".join(request.POST.get("display_name", "").split())
    zone = request.POST.get("time_zone", "UTC")
    if len(name) > DISPLAY_NAME_LENGTH_MAX or not name.isprintable():
        return _told(request, "The name has at most 64 printable characters.", is_error=True)
    if zone not in available_timezones():
        return _told(request, "There is no such time zone.", is_error=True)
    user.display_name = name
    user.time_zone = ZoneInfo(zone).key
    user.save(update_fields=["display_name", "time_zone"])
    return _told(request, "Profile saved.")


@require_POST
@signed_in
def save_display(request: HttpRequest) -> HttpResponse:
    """Theme, confirm step, single-key shortcuts."""
    user = get_shell(request).user
    theme = request.POST.get("theme", "")
    confirmation = request.POST.get("order_confirmation", "")
    if theme not in User.Theme.values or confirmation not in User.Confirmation.values:
        return _told(request, "Choose one of the options shown.", is_error=True)
    try:
        above = Decimal(request.POST.get("confirm_above_usd", "").strip().lstrip("$") or "100")
    except InvalidOperation:
        above = Decimal(-1)
    if not above.is_finite() or not 0 <= above <= CONFIRM_ABOVE_MAX:
        return _told(request, "Confirm above an amount from $0 to $1,000,000.", is_error=True)
    user.theme = theme
    user.order_confirmation = confirmation
    user.confirm_above_usd = above.quantize(Decimal("0.01"))
    user.has_single_key_shortcuts = request.POST.get("shortcuts") == "1"
    user.save(
        update_fields=[
            "theme",
            "order_confirmation",
            "confirm_above_usd",
            "has_single_key_shortcuts",
        ]
    )
    return _told(request, "Display saved.")


@require_POST
@signed_in
def reset(request: HttpRequest) -> HttpResponse:
    """Start a wallet over; needs the box that says what is lost."""
    account = own_account(request, request.POST.get("wallet"))
    user = get_shell(request).user
    if request.POST.get("understood") != "1":
        return _told(request, "Tick the box to reset; nothing was changed.", is_error=True)
    try:
        if account.wallet.kind == WalletKind.API:
            result = reset_api_wallet(user=user, now=utc_now(), actor=user)
        else:
            result = reset_wallet(user=user, wallet_id=account.id, now=utc_now(), actor=user)
    except PolysimError as error:
        return _told(request, f"{account.name} was not reset. {error.message}", is_error=True)
    if result.was_untouched:
        return _told(request, f"{account.name} is as new already; no reset was used.")
    if request.session.get(ACCOUNT_KEY) == account.id:
        request.session[ACCOUNT_KEY] = result.wallet.id
    closed = result.positions_closed
    return _told(
        request,
        f"{account.name} starts over with ${result.wallet.balance:,.2f}. "
        f"{closed} position{'' if closed == 1 else 's'} closed without a sale.",
    )


@require_POST
@signed_in
def archive(request: HttpRequest) -> HttpResponse:
    """Archive a sandbox: its orders and positions end, its history stays."""
    account = own_account(request, request.POST.get("wallet"))
    user = get_shell(request).user
    if request.POST.get("understood") != "1":
        return _told(request, "Tick the box to archive; nothing was changed.", is_error=True)
    try:
        archive_wallet(user=user, wallet_id=account.id, now=utc_now(), actor=user)
    except PolysimError as error:
        return _told(request, f"{account.name} was not archived. {error.message}", is_error=True)
    return _told(request, f"{account.name} is archived; its history stays readable by key.")


def _told(request: HttpRequest, words: str, *, is_error: bool = False) -> HttpResponse:
    messages.add_message(request, messages.ERROR if is_error else messages.SUCCESS, words)
    return SeeOther(reverse("settings"))
