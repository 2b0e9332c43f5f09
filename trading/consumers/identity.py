"""Who opened a socket: a browser session by its cookie, or a short-lived token in the address."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from django.conf import settings

from trading.consumers.socket import Scope

Answer = TypeVar("Answer")

# Few: the lookups are short, and every thread holds a database connection of the pool.
_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sockets")


@dataclass(frozen=True, slots=True)
class SocketIdentity:
    """The user behind a socket; `plan` decides how many sockets are allowed."""

    user_id: int
    plan: str


async def in_database_thread(work: Callable[[], Answer]) -> Answer:
    """Run a database read in `public` in a thread and give its connection back to the pool."""

    def run() -> Answer:
        from django.db import connection
        from django_tenants.utils import get_public_schema_name, schema_context

        try:
            with schema_context(get_public_schema_name()):
                return work()
        finally:
            connection.close()

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


def header(scope: Scope, name: bytes) -> str:
    """A request header's text, "" when it is missing."""
    for key, value in scope.get("headers", ()):
        if key.lower() == name:
            return str(value.decode("latin1"))
    return ""


def is_own_origin(scope: Scope) -> bool:
    """Whether the page that opened the socket is ours: cookies are sent from anywhere.

    Programs send no Origin and carry no cookies of a browser.
    """
    origin = header(scope, b"origin")
    if not origin:
        return True
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    return urlsplit(origin).netloc.lower() == header(scope, b"host").lower()


async def read_session_user(scope: Scope) -> SocketIdentity | None:
    """The signed-in user of the session cookie, or None."""
    try:
        cookies = SimpleCookie(header(scope, b"cookie"))
    except CookieError:
        return None
    morsel = cookies.get(settings.SESSION_COOKIE_NAME)
    if morsel is None or not morsel.value or not is_own_origin(scope):
        return None
    session_key = morsel.value
    return await in_database_thread(lambda: _load_session_user(session_key))


def _load_session_user(session_key: str) -> SocketIdentity | None:
    from importlib import import_module

    from django.contrib.auth import get_user
    from django.http import HttpRequest

    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user: Any = get_user(request)
    if not user.is_authenticated or not user.is_active:
        return None
    return SocketIdentity(user_id=user.pk, plan=user.plan)


async def read_token_user(scope: Scope) -> SocketIdentity | None:
    """The user of `?token=`; None for a missing, bad or expired token."""
    query = parse_qs(scope.get("query_string", b"").decode("latin1"))
    token = (query.get("token") or [""])[0]
    if not token:
        return None
    return await in_database_thread(lambda: _load_token_user(token))


def _load_token_user(token: str) -> SocketIdentity | None:
    from polysim.kernel.errors import PolysimError
    from tenants.services import read_ws_token

    try:
        identity = read_ws_token(token)
    except PolysimError:
        return None
    if identity is None:
        return None
    return SocketIdentity(user_id=identity.user_id, plan=identity.tier)


async def read_token_or_session_user(scope: Scope) -> SocketIdentity | None:
    """A token where one is given, else the session (trading-api 10)."""
    if b"token=" in scope.get("query_string", b""):
        return await read_token_user(scope)
    return await read_session_user(scope)
