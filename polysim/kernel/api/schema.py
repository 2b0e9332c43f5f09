"""The OpenAPI document's view of an endpoint: credentials and the error envelope, added for all."""

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema

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


class ApiSchema(AutoSchema):
    """Adds what holds for every endpoint, so that views declare only their own parts."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        access = getattr(self.view, "access", Access.PUBLIC)
        return SCHEMES_OF_ACCESS[access]

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/v1/").split("/")[0].split("-")[0] or "v1"]

    def _get_response_bodies(
        self, direction: Literal["request", "response"] = "response"
    ) -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
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
