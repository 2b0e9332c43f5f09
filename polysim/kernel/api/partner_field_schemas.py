"""How the partner door's fields look in its OpenAPI document.

Patterns describe the usual form; a few more texts are taken than they allow (`0.50` where a price
may also be `0.5`), none that they allow is refused.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension

FIELDS = "polysim.kernel.api.partner_fields"
PRINTABLE = r"^[^\x00-\x1F\x7F-\x9F]*$"
NO_NULLS = r"^[^\x00]*$"
EMAIL = r"^[a-z0-9._-]{0,30}[a-z0-9]@[a-z0-9]{1,40}\.(com|org|net|example)$"
MOMENT = r"^20[0-9]{2}-0[1-9]-[12][0-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z$"


class DecimalSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Decimal text; requests may send whole numbers too."""

    target_class = f"{FIELDS}.ExactDecimal"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        field = self.target
        places = rf"(\.[0-9]{{1,{field.places}}})?"
        if direction == "response":
            return {"type": "string", "pattern": rf"^-?[0-9]{{1,15}}{places}$"}
        whole = int(field.max_value)
        if field.min_value <= 0:
            # Below the largest number by one digit, so that every text is within the bounds.
            digits = max(1, len(str(whole)) - 1)
            text = rf"^[0-9]{{1,{digits}}}{places}$"
        elif whole == 0:
            text = rf"^0\.[1-8][0-9]{{0,{field.places - 1}}}$"
        else:
            text = rf"^[1-9][0-9]{{0,{max(0, len(str(whole)) - 2)}}}{places}$"
        schema: dict[str, Any] = {"type": "string", "pattern": text}
        if whole == 0:
            return schema
        least = max(1, int(field.min_value)) if field.min_value > 0 else int(field.min_value)
        return {"oneOf": [schema, {"type": "integer", "minimum": least, "maximum": whole}]}


class PlainTextSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A text without control characters."""

    target_class = f"{FIELDS}.PlainText"
    match_subclasses = True
    pattern = PRINTABLE

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        field = self.target
        least = field.min_length or (0 if field.allow_blank else 1)
        schema: dict[str, Any] = {"type": "string", "pattern": self.pattern, "minLength": least}
        if field.max_length is not None:
            schema["maxLength"] = field.max_length
        return schema


class EmailTextSchema(PlainTextSchema):
    """An e-mail address."""

    target_class = f"{FIELDS}.EmailText"
    priority = 1
    pattern = EMAIL


class JsonObjectSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A free object."""

    target_class = f"{FIELDS}.JsonObject"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {}}


class UserIdSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The native user's integer id."""

    target_class = f"{FIELDS}.UserId"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}


class PartnerMomentSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An ISO time in UTC."""

    target_class = f"{FIELDS}.PartnerMoment"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        if direction == "response":
            return {"type": "string", "format": "date-time"}
        return {"type": "string", "pattern": MOMENT}
