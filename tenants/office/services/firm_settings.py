"""What a firm decides about itself: time zone, accent, contact, logo (ui.md, Tokens)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError as FieldError
from django.core.validators import validate_email
from django.db import transaction

from polysim.kernel.contrast import CONTRAST_MIN, SURFACES, contrast_of
from polysim.kernel.errors import ValidationFailed
from tenants.models import Firm
from tenants.office.services.audit import Actor, write_firm_audit
from tenants.services.users import forget_identities

LOGO_BYTES_MAX = 64 * 1024
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
# A file is what its first bytes say, whatever it is called.
SIGNATURES = (
    ("image/png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("image/jpeg", re.compile(rb"\xff\xd8\xff")),
    ("image/webp", re.compile(rb"RIFF....WEBP", re.DOTALL)),
)


@dataclass(frozen=True, slots=True)
class Logo:
    """A checked picture."""

    content: bytes
    media_type: str


def read_logo(content: bytes) -> Logo:
    """Raises ValidationFailed unless it is a PNG, JPEG or WebP of at most 64 KB."""
    if len(content) > LOGO_BYTES_MAX:
        raise ValidationFailed([("logo", "The file is larger than 64 KB.")])
    for media_type, signature in SIGNATURES:
        if signature.match(content):
            return Logo(content, media_type)
    raise ValidationFailed([("logo", "Only PNG, JPEG and WebP pictures are taken.")])


@transaction.atomic
def change_firm_settings(
    *,
    firm: Firm,
    time_zone: str,
    accent_colour: str,
    contact_email: str,
    actor: Actor,
    now: datetime,
    logo: bytes | None = None,
    is_logo_removed: bool = False,
) -> Firm:
    """Set them all, in the firm's building; `logo` None keeps the present one.

    The accent is refused when text in it would be below 4.5 to 1 on the surface of the light
    theme. Raises ValidationFailed with every wrong field.
    """
    _check(time_zone=time_zone, accent_colour=accent_colour, contact_email=contact_email)
    picture = read_logo(logo) if logo else None
    row = Firm.objects.select_for_update().get(pk=firm.pk)
    changes: dict[str, Any] = {
        "time_zone": time_zone,
        "accent_colour": accent_colour.lower(),
        "contact_email": contact_email.strip().lower(),
    }
    before = {name: getattr(row, name) for name in changes}
    after = dict(changes)
    if picture is not None:
        changes |= {"logo": picture.content, "logo_media_type": picture.media_type}
        before["logo"] = _logo_words(row)
        after["logo"] = f"{picture.media_type}, {len(picture.content)} bytes"
    elif is_logo_removed and row.logo:
        changes |= {"logo": None, "logo_media_type": ""}
        before["logo"], after["logo"] = _logo_words(row), ""
    Firm.objects.filter(pk=row.pk).update(**changes)
    for name, value in changes.items():
        setattr(row, name, value)
    write_firm_audit(
        actor=actor,
        action="settings.changed",
        object_type="firm",
        object_id=firm.pk,
        now=now,
        before=_different(before, after),
        after=_different(after, before),
    )
    transaction.on_commit(forget_identities)
    return row


def _check(*, time_zone: str, accent_colour: str, contact_email: str) -> None:
    wrong = []
    if time_zone not in available_timezones():
        wrong.append(("time_zone", "Not a time zone such as Europe/Berlin."))
    if accent_colour and not COLOUR.fullmatch(accent_colour):
        wrong.append(("accent_colour", "A colour such as #1d4ed8."))
    elif accent_colour:
        ratio = contrast_of(accent_colour, SURFACES["light"])
        if ratio < CONTRAST_MIN:
            words = f"Text in this colour has a contrast of {ratio:.2f} on white; 4.5 is needed."
            wrong.append(("accent_colour", words))
    if contact_email.strip():
        try:
            validate_email(contact_email.strip())
        except FieldError:
            wrong.append(("contact_email", "Not an e-mail address."))
    if wrong:
        raise ValidationFailed(wrong)


def _logo_words(firm: Firm) -> str:
    return f"{firm.logo_media_type}, {len(bytes(firm.logo))} bytes" if firm.logo else ""


def _different(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if value != other.get(name)}
