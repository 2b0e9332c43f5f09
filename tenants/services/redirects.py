"""Where a login link may lead: origins that the firm listed, and the site (partner-api 3)."""

import re
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from polysim.kernel.errors import NotFound, PolysimError, ValidationFailed
from tenants.models import Firm, RedirectOrigin
from tenants.office.services import Actor, write_firm_audit

URL_LENGTH_MAX = 2048
HOST_TEXT = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)
# Browsers skip or turn these around, so that another host than the checked one could be meant.
UNSAFE = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\]")
DEFAULT_PORTS = {"https": 443, "http": 80}


class RedirectNotAllowed(PolysimError):
    """The redirect leads outside the firm's allowlist."""

    code = "REDIRECT_NOT_ALLOWED"
    status = 422
    message = "This redirect_url is not on the firm's list of allowed origins."


def read_origin(url: str) -> str | None:
    """Scheme, host and port of an absolute address, the default port left out; None when unusable.

    `https` only, except the site's own origin, which keeps its scheme (contracts/README 6).
    """
    if len(url) > URL_LENGTH_MAX or UNSAFE.search(url):
        return None
    origin = _origin_of(url)
    if origin is None or not (origin.startswith("https://") or origin == own_origin()):
        return None
    return origin


def own_origin() -> str:
    """The site's own scheme, host and port."""
    return _origin_of(settings.BASE_URL) or ""


def _origin_of(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        return None
    is_plain = "@" not in parts.netloc and not parts.netloc.endswith(":")
    if parts.scheme not in DEFAULT_PORTS or not is_plain or not HOST_TEXT.fullmatch(host):
        return None
    authority = host if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{authority}"


def is_redirect_allowed(*, firm: Firm, url: str) -> bool:
    """Whether a login link of the firm may lead to `url` at present."""
    origin = read_origin(url)
    if origin is None:
        return False
    return origin == own_origin() or firm.redirect_origins.filter(origin=origin).exists()


def require_redirect(*, firm: Firm, url: str) -> None:
    """Raises RedirectNotAllowed unless the firm's links may lead to `url`."""
    if not is_redirect_allowed(firm=firm, url=url):
        raise RedirectNotAllowed()


@transaction.atomic
def allow_origin(*, firm: Firm, origin: str, actor: Actor, now: datetime) -> RedirectOrigin:
    """Put an origin (`https://portal.example`) on the list; on it already: the same row.

    The caller stands in the firm's building. Raises ValidationFailed.
    """
    text = origin.strip().rstrip("/")
    read = read_origin(text)
    if read is None or urlsplit(text).path or "?" in text or "#" in text or len(read) > 300:
        raise ValidationFailed([("origin", "must be https:// with host and port, nothing else")])
    row, is_new = RedirectOrigin.objects.get_or_create(
        firm=firm, origin=read, defaults={"created_at": now}
    )
    if is_new:
        write_firm_audit(
            actor=actor,
            action="redirect.allowed",
            object_type="redirect_origin",
            object_id=row.pk,
            now=now,
            after={"origin": read},
        )
    return row


@transaction.atomic
def remove_origin(*, firm: Firm, origin_id: int, actor: Actor, now: datetime) -> None:
    """Take an origin off the list; links that lead there lead to the markets. Raises NotFound."""
    row = RedirectOrigin.objects.select_for_update().filter(pk=origin_id, firm=firm).first()
    if row is None:
        raise NotFound()
    row.delete()
    write_firm_audit(
        actor=actor,
        action="redirect.removed",
        object_type="redirect_origin",
        object_id=origin_id,
        now=now,
        before={"origin": row.origin},
    )
