"""The page behind a mailed login link: GET shows whose it is, only POST spends it (partner-api 3).

Mail scanners follow links, so looking at one changes nothing. A used, expired or voided link
answers 410 with the normal login and a way to a new link.
"""

import base64

from allauth.account.forms import LoginForm
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from kombu.exceptions import KombuError
from redis import RedisError

from polysim.kernel.api.parsers import storable_text
from polysim.kernel.clock import utc_now
from polysim.kernel.ratelimits import client_address, count_tries
from polysim.kernel.security import HEADER, policy_for
from tenants.models import Firm, LoginLink, User
from tenants.services.link_mails import ACCENT_DEFAULT, until_words
from tenants.services.login_links import (
    LinkGone,
    address_for,
    find_open_link,
    hash_token,
    use_login_link,
)
from tenants.services.redirects import is_redirect_allowed, read_origin
from tenants.services.tokens import TooManyTries
from tenants.tasks import renew_login_link_of
from trading.selectors.pages.entry import find_newest_account
from trading.views.common import SeeOther
from trading.views.context import ACCOUNT_KEY

BACKEND = "django.contrib.auth.backends.ModelBackend"
LANDING = "/markets/"
RENEWALS_PER_MINUTE = 5
RENEWAL_EXPIRES_S = 300


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login_link(request: HttpRequest, token: str) -> HttpResponse:
    """The firm, the masked address and the button; the button signs in once."""
    now = utc_now()
    try:
        if request.method == "POST":
            address = client_address(request)
            link = use_login_link(token=token, now=now, remote_address=address)
            return _sign_in(request, link)
        link = find_open_link(token=token, now=now)
    except LinkGone:
        return _gone(request, token)
    firm, user = link.participant.firm, link.participant.user
    zone = user.time_zone if user.time_zone != "UTC" else firm.time_zone
    context = {
        "firm": firm,
        "accent": firm.accent_colour or ACCENT_DEFAULT,
        "logo": logo_data(firm),
        "masked": mask_address(address_for(link.participant)),
        "account": find_newest_account(user=user, firm=firm),
        "expires_at": link.expires_at,
        "until": until_words(link.expires_at, zone),
        "minutes_left": max(1, round((link.expires_at - now).total_seconds() / 60)),
    }
    response = render(request, "login_link.html", context)
    if link.redirect_url:
        # Browsers hold the redirect after a form against the policy of the form's page.
        policy = policy_for(request.path_info, str(request.csp_nonce))  # type: ignore[attr-defined]
        origin = read_origin(link.redirect_url) or ""
        response[HEADER] = policy.replace("form-action 'self'", f"form-action 'self' {origin}")
    return _unlisted(response)


@never_cache
@require_POST
def new_login_link(request: HttpRequest) -> HttpResponse:
    """Ask for a new link in place of a gone one: the same answer for every address."""
    wait_s = count_tries(
        f"new-link:{client_address(request)}", limit=RENEWALS_PER_MINUTE, period_s=60
    )
    if wait_s:
        raise TooManyTries(wait_s)
    email = storable_text(request.POST.get("email", "")).strip().lower()[:320]
    arguments = [email, storable_text(request.POST.get("link", ""))[:64]]
    try:
        renew_login_link_of.apply_async(arguments, retry=False, expires=RENEWAL_EXPIRES_S)
    except (KombuError, RedisError, OSError):
        renew_login_link_of.apply(arguments)
    return _unlisted(render(request, "login_link_sent.html"))


def mask_address(email: str) -> str:
    """ines@example.org -> i•••@example.org."""
    name, _, host = email.rpartition("@")
    return f"{name[:1]}•••@{host}"


def logo_data(firm: Firm) -> str:
    """The firm's logo as an address that holds the picture itself, "" without one."""
    if not firm.logo:
        return ""
    return f"data:{firm.logo_media_type};base64,{base64.b64encode(bytes(firm.logo)).decode()}"


def _sign_in(request: HttpRequest, link: LoginLink) -> HttpResponse:
    firm, user = link.participant.firm, link.participant.user
    login(request, user, backend=BACKEND)
    _choose_account(request, user, firm)
    wanted = link.redirect_url
    is_allowed = bool(wanted) and is_redirect_allowed(firm=firm, url=wanted)
    return SeeOther(wanted if is_allowed else LANDING)


def _choose_account(request: HttpRequest, user: User, firm: Firm) -> None:
    account = find_newest_account(user=user, firm=firm)
    if account is not None:
        request.session[ACCOUNT_KEY] = account.id


def _gone(request: HttpRequest, token: str) -> HttpResponse:
    context = {"form": LoginForm(), "link_mark": hash_token(token), "next": LANDING}
    return _unlisted(render(request, "login_link_gone.html", context, status=410))


def _unlisted(response: HttpResponse) -> HttpResponse:
    response["X-Robots-Tag"] = "noindex"
    return response
