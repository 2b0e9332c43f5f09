"""The OpenAPI description of the partner door, with a security scheme of its own."""

import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.plumbing import build_basic_type
from drf_spectacular.types import OpenApiTypes
from rest_framework.renderers import JSONRenderer

from polysim.kernel.api.schema import ApiSchema

PARTNER_URLCONF = "polysim.urls_partner_schema"
SECURITY_SCHEMES: dict[str, Any] = {
    "TenantKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "TenantKeyBearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "The raw tenant key, no token; X-API-Key wins when both are sent.",
    },
}
DESCRIPTION = (
    "Server-to-server interface with which a prop firm provisions and reads simulated accounts. "
    "Errors carry `error`, `message` and `request_id`; the code stands in `X-Polysim-Code` too."
)
USER_ID = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
UUID_TEXT = {"type": "string", "format": "uuid"}
# Names that mean the same on every address of this door.
PATH_SCHEMAS: dict[str, dict[str, Any]] = {
    "user_id": USER_ID,
    "account_id": UUID_TEXT,
    "webhook_id": UUID_TEXT,
    "delivery_id": UUID_TEXT,
    "clock_id": UUID_TEXT,
}


class PartnerSchema(ApiSchema):
    """What holds for every endpoint of the door; `permissions` of the view are named."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        return [{name: []} for name in SECURITY_SCHEMES]

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/v1/partner/").split("/")[0] or "partner"]

    def get_description(self) -> str:
        text: str = super().get_description() or ""
        permission = getattr(self.view, "permissions", {}).get(self.method)
        return f"{text}\n\nPermission: `{permission}`." if permission else text

    def _get_parameters(self) -> list[dict[str, Any]]:
        parameters = super()._get_parameters()
        for parameter in parameters:
            if parameter["in"] == "path":
                known = PATH_SCHEMAS.get(parameter["name"])
                parameter["schema"] = known or parameter["schema"]
        return parameters


class DecimalSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Decimal text; requests may send whole numbers too."""

    target_class = "polysim.kernel.api.partner_fields.ExactDecimal"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        places = self.target.places
        text = {"type": "string", "pattern": rf"^-?[0-9]{{1,15}}(\.[0-9]{{1,{places}}})?$"}
        if direction == "response":
            return text
        return {"oneOf": [text, {"type": "integer"}]}


class JsonObjectSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A free object."""

    target_class = "polysim.kernel.api.partner_fields.JsonObject"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {}}


class UserIdSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """The native user's integer id."""

    target_class = "polysim.kernel.api.partner_fields.UserId"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return dict(USER_ID)


class PartnerMomentSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An ISO time."""

    target_class = "polysim.kernel.api.partner_fields.PartnerMoment"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return dict(build_basic_type(OpenApiTypes.DATETIME) or {})


@lru_cache(maxsize=1)
def partner_document() -> bytes:
    """The document as JSON; the same for everybody, so made once per process."""
    generator = SchemaGenerator(urlconf=PARTNER_URLCONF)  # type: ignore[no-untyped-call]
    document: Any = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    document["info"] = {
        "title": "Polysim Partner API",
        "version": settings.VERSION,
        "description": DESCRIPTION,
    }
    document["servers"] = [{"url": settings.BASE_URL}]
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    text: bytes = JSONRenderer().render(document)
    return json.dumps(json.loads(text)).encode()


def partner_schema(request: HttpRequest) -> HttpResponse:
    """GET `/v1/partner/schema/`: for everybody, without a key."""
    return HttpResponse(partner_document(), content_type="application/vnd.oai.openapi+json")
