"""The OpenAPI document's view of an endpoint: credentials and the error envelope, added for all."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter

from polysim.kernel.api.identity import Access

SCHEMES_OF_ACCESS: dict[Access, list[dict[str, list[str]]]] = {
    Access.PUBLIC: [{"ApiKey": []}, {}],
    Access.KEY: [{"ApiKey": []}, {"Session": []}],
    Access.KEY_OR_USER: [{"ApiKey": []}, {"Session": []}, {"AccessToken": []}],
    Access.USER: [{"Session": []}, {"AccessToken": []}],
}
SECURITY_SCHEMES: dict[str, Any] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "Session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
    "AccessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}
ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "Every answer that is not 2xx; `message` and `request_id` are left out only "
    "where an endpoint answers in Polymarket's form.",
    "properties": {
        "error": {"type": "string"},
        "message": {"type": "string"},
        "request_id": {"type": "string"},
        "details": {"type": "object", "nullable": True, "additionalProperties": {}},
    },
    "required": ["error"],
}

ID_SCHEMA = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
TOKEN_SCHEMA = {"type": "string", "pattern": "^[0-9]{1,80}$"}
# Names that mean the same on every address.
SCHEMAS_BY_PLACE: dict[str, dict[str, Any]] = {
    "path": {"wallet_id": ID_SCHEMA, "order_id": ID_SCHEMA, "token_id": TOKEN_SCHEMA},
    "query": {"token_id": TOKEN_SCHEMA},
}

IDEMPOTENCY_PARAMETER = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="A repeat with the same key and body gets the first answer again.",
)


class WholeNumberSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """An integer with its bounds."""

    target_class = "polysim.kernel.api.fields.WholeNumber"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        field = self.target
        return {"type": "integer", "minimum": field.min_value, "maximum": field.max_value}


class FlagSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A boolean."""

    target_class = "polysim.kernel.api.fields.Flag"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        return {"type": "boolean"}


class MomentSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A time, a date or unix seconds."""

    target_class = "polysim.kernel.api.fields.Moment"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        forms = [{"format": "date-time"}, {"format": "date"}, {"pattern": "^[0-9]{1,10}$"}]
        return {"anyOf": [{"type": "string", **form} for form in forms]}


class ApiSchema(AutoSchema):
    """Adds what holds for every endpoint, so that views declare only their own parts."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        access = getattr(self.view, "access", Access.PUBLIC)
        return SCHEMES_OF_ACCESS[access]

    def _get_parameters(self) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super()._get_parameters()
        for parameter in parameters:
            known = SCHEMAS_BY_PLACE.get(parameter["in"], {})
            parameter["schema"] = known.get(parameter["name"], parameter["schema"])
            if parameter["in"] == "query" and parameter["schema"].get("minLength") == 1:
                # Empty texts of a query count as not sent.
                del parameter["schema"]["minLength"]
        return parameters

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/v1/").split("/")[0].split("-")[0] or "v1"]

    def _get_response_bodies(
        self, direction: Literal["request", "response"] = "response"
    ) -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if self.method == "DELETE" and "204" in bodies:
            # What is deleted here is answered with 200 and an object, never with an empty 204.
            answer = self._get_response_for_code(
                self.get_response_serializers(), "200", direction=direction
            )
            bodies = {"200": answer}
        bodies["default"] = {
            "description": "A refusal, with its code in X-Polysim-Code.",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
        return bodies


def add_shared_components(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """drf-spectacular's post-processing hook: the components that `ApiSchema` refers to."""
    components = result.setdefault("components", {})
    components.setdefault("securitySchemes", {}).update(SECURITY_SCHEMES)
    components.setdefault("schemas", {})["Error"] = ERROR_SCHEMA
    return result
