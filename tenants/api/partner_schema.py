"""The OpenAPI description of the partner door, with a security scheme of its own."""

import json
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from rest_framework.renderers import JSONRenderer

from polysim.kernel.api.partner_field_schemas import NO_NULLS
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
            elif parameter["schema"].get("type") == "string":
                _describe_query_text(parameter["schema"])
        return parameters


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
    _close_bodies(document)
    text: bytes = JSONRenderer().render(document)
    return json.dumps(json.loads(text)).encode()


def partner_schema(request: HttpRequest) -> HttpResponse:
    """GET `/v1/partner/schema/`: for everybody, without a key."""
    return HttpResponse(partner_document(), content_type="application/vnd.oai.openapi+json")


def _describe_query_text(schema: dict[str, Any]) -> None:
    """Free texts of a query hold no null character."""
    if not schema.keys() & {"enum", "format", "pattern"}:
        schema["pattern"] = NO_NULLS


def _close_bodies(document: Any) -> None:
    """Bodies take no unknown members, in objects inside them neither; a PATCH names one or more."""
    schemas = document["components"]["schemas"]
    waiting = []
    for item in document["paths"].values():
        for method, operation in item.items():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                waiting.append(content["schema"])
                if method == "patch":
                    operation["requestBody"]["required"] = True
                    content["schema"] = {"allOf": [content["schema"]], "minProperties": 1}
    seen: set[str] = set()
    while waiting:
        name = waiting.pop().get("$ref", "").rpartition("/")[2]
        schema = schemas.get(name)
        if schema is None or name in seen or "properties" not in schema:
            continue
        seen.add(name)
        schema["additionalProperties"] = False
        waiting += [inner for inner in schema["properties"].values() if "$ref" in inner]
