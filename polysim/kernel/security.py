"""The Content-Security-Policy of every answer: only our own files, inline scripts by nonce.

Pages put `nonce="{{ request.csp_nonce }}"` on their inline scripts. The platform's admin is a
foreign front end that evaluates expressions in attributes, so `/admin/` alone allows that.
"""

import secrets
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import SimpleLazyObject

from polysim.kernel.api.middleware import is_api_path

HEADER = "Content-Security-Policy"
SHARED = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
ADMIN_SCRIPTS = "script-src 'self' 'unsafe-inline' 'unsafe-eval'"


class ContentSecurityPolicyMiddleware:
    """Sets `request.csp_nonce` (made when first used) and the header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        nonce: Any = SimpleLazyObject(lambda: secrets.token_urlsafe(16))
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = self.get_response(request)
        if HEADER not in response:
            response[HEADER] = policy_for(request.path_info, str(nonce))
        return response


def policy_for(path: str, nonce: str) -> str:
    """The policy of one address."""
    if is_api_path(path):
        return API_POLICY
    if path.startswith("/admin/"):
        return f"{SHARED}; {ADMIN_SCRIPTS}"
    return f"{SHARED}; script-src 'self' 'nonce-{nonce}'"
