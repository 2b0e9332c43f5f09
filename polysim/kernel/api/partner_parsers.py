"""Bodies of the partner door: at most 64 KB, an object, no unknown fields (partner-api)."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from polysim.kernel.api.errors import flatten_fields
from polysim.kernel.api.parsers import DecimalJSONParser, read_raw_json, storable_text
from polysim.kernel.api.refusals import BadRequest
from polysim.kernel.errors import ValidationFailed

BODY_BYTES_MAX = 64 * 1024
UNKNOWN = "is not a field of this request"


class PartnerJSONParser(DecimalJSONParser):
    """JSON with exact numbers; broken characters stay, so that their field is refused by name."""

    bytes_max = BODY_BYTES_MAX

    def read(self, raw: bytes) -> Any:
        return read_raw_json(raw)


def read_partner_body(
    request: Request,
    serializer_class: type[serializers.Serializer[Any]],
    *,
    is_partial: bool = False,
) -> dict[str, Any]:
    """The validated body; `is_partial` leaves out what was not sent.

    Raises BadRequest (400) when it is no object, ValidationFailed (422) with all wrong and
    unknown fields.
    """
    sent = request.data
    if not isinstance(sent, dict):
        raise BadRequest("The body must be a JSON object.")
    serializer = serializer_class(data=sent, partial=is_partial, context={"request": request})
    unknown = [(storable_text(name), UNKNOWN) for name in sent if name not in serializer.fields]
    if not serializer.is_valid() or unknown:
        raise ValidationFailed([*flatten_fields(serializer.errors), *unknown])
    validated: dict[str, Any] = serializer.validated_data
    return validated
