"""The wallets part of `/settings/`: opening and naming. Resets close positions: `trading.views`."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_POST

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from tenants.models import User
from wallets.services import create_sandbox_wallet, rename_wallet

SETTINGS_PATH = "/settings/"
ID_MAX = 2**63 - 1


@require_POST
@login_required
def open_sandbox(request: HttpRequest) -> HttpResponse:
    """A new sandbox at the plan's baseline."""
    user = _user(request)
    try:
        wallet = create_sandbox_wallet(
            user=user, label=request.POST.get("label"), now=utc_now(), actor=user
        )
    except PolysimError as error:
        return _told(request, f"No sandbox was opened. {error.message}", is_error=True)
    return _told(request, f"{wallet.label or 'Sandbox'} opened with ${wallet.balance:,.2f}.")


@require_POST
@login_required
def rename(request: HttpRequest) -> HttpResponse:
    """Another label, or none."""
    text = request.POST.get("wallet", "")
    wallet_id = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    user = _user(request)
    try:
        rename_wallet(
            user=user,
            wallet_id=min(wallet_id, ID_MAX),
            label=request.POST.get("label"),
            now=utc_now(),
            actor=user,
        )
    except PolysimError as error:
        return _told(request, f"The name was not changed. {error.message}", is_error=True)
    return _told(request, "Wallet renamed.")


def _user(request: HttpRequest) -> User:
    user = request.user
    assert isinstance(user, User), "login_required was passed"
    return user


def _told(request: HttpRequest, words: str, *, is_error: bool = False) -> HttpResponse:
    messages.add_message(request, messages.ERROR if is_error else messages.SUCCESS, words)
    response = HttpResponseRedirect(SETTINGS_PATH)
    response.status_code = 303
    return response
