"""`/v1/manager/`: the command endpoint and the REST routes of the same commands.

Contract: prop-backoffice 1.3, 1.4, 4. Mounted on firms' hosts, and on the platform's, where it
refuses everybody.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.urls import re_path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.identity import Access
from polysim.kernel.api.parsers import read_json
from polysim.kernel.api.refusals import BadRequest
from polysim.kernel.api.views import ApiView
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import NotFound, PolysimError
from prop.api.manager_call import Answer, Call
from prop.api.manager_commands import COMMANDS, read_object
from prop.api.manager_door import ManagerView, error_answer
from prop.api.manager_errors import UnknownCommand, error_members
from prop.api.manager_schema import manager_document
from prop.errors import InvalidData, InvalidParams
from prop.services.rights import check_right

FILTERS = frozenset(
    {"where", "whereNot", "whereIn", "whereNotIn", "whereBetween", "whereNotBetween", "orderBy"}
)
COUNTS = frozenset({"limit", "offset", "phase_index"})
READ_METHODS = ("GET", "HEAD")


class CommandView(ManagerView):
    """`POST /v1/manager/command`: one envelope for all commands."""

    envelope: Mapping[str, Any] | None = None

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        self.envelope = read_object(request.data, name="The body")
        check_external_id(self.envelope)
        name = self.envelope.get("command")
        if name is None:
            raise InvalidParams("Missing: command.", fields={"command": "is required"})
        if not isinstance(name, str):
            raise InvalidData({"command": "must be a text"})
        data = self.envelope.get("data")
        if data is not None and not isinstance(data, Mapping):
            raise InvalidData({"data": "must be an object"})
        answer = run_command(self, name, data or {})
        return Response({**self.head, "status": 200, "data": answer, "request_id": self.request_id})

    @property
    def request_id(self) -> str:
        """The id of this request."""
        http: Any = self.request._request
        return str(http.request_id)

    @property
    def head(self) -> dict[str, Any]:
        """`extID` as it was sent, nothing when it was not."""
        sent = self.envelope or {}
        return {"extID": sent["extID"]} if is_external_id(sent.get("extID")) else {}

    def refusal(self, error: PolysimError) -> Response:
        """The failure form of the envelope."""
        members = error_members(error)
        body = {**self.head, **members, "request_id": self.request_id}
        return error_answer(error, body, members["status"])


class RestView(ManagerView):
    """A REST route; `commands` names the command of each method."""

    commands: ClassVar[Mapping[str, str]] = {}
    query_defaults: ClassVar[Mapping[str, Any]] = {}

    def run(self, request: Request, **place: Any) -> Response:
        """Run the method's command with the body, or the query, and what the address says."""
        if request.method not in READ_METHODS:
            name = self.commands[request.method or ""]
            return Response(run_command(self, name, {**read_body(request), **place}))
        data = {**self.query_defaults, **read_query(request), **place}
        return Response(run_command(self, self.commands["GET"], data))


def run_command(view: ManagerView, name: str, data: Mapping[str, Any]) -> Answer:
    """Check the name and the role's right, then run it. Raises UnknownCommand, NotEnoughRights."""
    command = COMMANDS.get(name)
    if command is None:
        raise UnknownCommand(f"There is no command {name[:64]!r}")
    check_right(membership=view.membership, firm=view.firm, right=command.right)
    return command.run(Call(data=data, actor=view.actor, now=utc_now()))


def is_external_id(value: object) -> bool:
    """A text or a whole number."""
    return isinstance(value, str | int) and not isinstance(value, bool)


def check_external_id(envelope: Mapping[str, Any]) -> None:
    """Raises InvalidData for an `extID` that is neither text nor whole number."""
    value = envelope.get("extID")
    if value is not None and not is_external_id(value):
        raise InvalidData({"extID": "must be a text or a whole number"})


def read_body(request: Request) -> Mapping[str, Any]:
    """The body as `data`; none is an empty object."""
    if not request.body:
        return {}
    return read_object(request.data, name="The body")


def read_query(request: Request) -> dict[str, Any]:
    """Filters and counts of a query; other parameters are ignored."""
    data: dict[str, Any] = {}
    for name, text in request.query_params.items():
        if name in FILTERS | COUNTS:
            try:
                data[name] = read_json(text.encode(errors="replace"))
            except BadRequest as error:
                raise InvalidParams(
                    f"{name} must be JSON", fields={name: "must be JSON"}
                ) from error
    return data


class TableView(RestView):
    """A route that lists: limit and offset have defaults."""

    query_defaults = {"limit": 50, "offset": 0}


class UnknownAddressView(ManagerView):
    """Any other address below `/v1/manager/`, in this door's form."""

    @extend_schema(exclude=True)
    def get(self, request: Request, **place: str) -> Response:
        raise NotFound()

    post = put = patch = delete = get


class SchemaView(ApiView):
    """The OpenAPI document of this door, for everybody."""

    access = Access.PUBLIC

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(manager_document(ROUTES))


def changes(command: str) -> dict[str, str]:
    """PATCH and PUT both update what is sent."""
    return {"PATCH": command, "PUT": command}


# Addresses with the command of each method.
ROUTES: list[tuple[str, dict[str, str]]] = [
    ("prop/programs", {"GET": "MngGetPropProgramsByFilter", "POST": "MngCreatePropProgram"}),
    (
        "prop/programs/{id}",
        {
            "GET": "MngGetPropProgram",
            "DELETE": "MngDeletePropProgram",
            **changes("MngUpdatePropProgram"),
        },
    ),
    ("prop/challenges", {"GET": "MngGetPropChallengesByFilter"}),
    ("prop/challenges/grant", {"POST": "MngGrantPropChallenge"}),
    ("prop/challenges/{id}", {"GET": "MngGetPropChallenge"}),
    ("prop/challenges/{id}/metrics", {"GET": "MngGetPropChallengeMetrics"}),
    ("prop/challenges/{id}/breaches", {"GET": "MngGetPropChallengeBreaches"}),
    ("prop/challenges/{id}/cancel", {"POST": "MngCancelPropChallenge"}),
    ("prop/challenges/{id}/reset", {"POST": "MngResetPropChallenge"}),
    ("prop/challenges/{id}/close", {"POST": "MngClosePropFundedPhase"}),
    ("prop/purchases", {"GET": "MngGetPropPurchasesByFilter"}),
    (
        "prop/purchases/{id}",
        {
            "GET": "MngGetPropPurchase",
            "DELETE": "MngDeletePropPurchase",
            **changes("MngUpdatePropPurchase"),
        },
    ),
    ("prop/purchases/{id}/refund", {"POST": "MngRefundPropPurchase"}),
    ("prop/purchases/{id}/retry", {"POST": "MngRetryPropPurchase"}),
    ("prop/payouts", {"GET": "MngGetPropPayoutsByFilter"}),
    ("prop/payouts/{id}", {"GET": "MngGetPropPayout"}),
    ("prop/payouts/{id}/approve", {"POST": "MngApprovePropPayout"}),
    ("prop/payouts/{id}/reject", {"POST": "MngRejectPropPayout"}),
    ("prop/jobs/{id}/retry", {"POST": "MngRetryPropJob"}),
    ("accounts/{login}/balance", {"POST": "MngAddBalance"}),
    ("groups", {"GET": "GetGroups", "POST": "AddGroup"}),
    ("groups/{group}", {"DELETE": "DeleteGroup", **changes("UpdateGroup")}),
]
PLACES = {
    "{id}": r"(?P<id>[0-9]{1,18})",
    "{login}": r"(?P<login>[0-9]{1,18})",
    "{group}": r"(?P<group>[^/]{1,64})",
}


def route(address: str, commands: Mapping[str, str]) -> Any:
    """An address whose methods run commands; a trailing slash is accepted."""

    def handle(self: RestView, request: Request, **place: str) -> Response:
        typed = {name: text if name == "group" else int(text) for name, text in place.items()}
        return self.run(request, **typed)

    base = TableView if commands.get("GET", "").endswith("ByFilter") else RestView
    members: dict[str, Any] = {
        method.lower(): extend_schema(exclude=True)(handle) for method in commands
    }
    text = f"Runs {', '.join(sorted(set(commands.values())))}."
    view = type("Route", (base,), {**members, "commands": commands, "__doc__": text})
    pattern = "/".join(PLACES.get(part, part) for part in address.split("/"))
    return re_path(f"^{pattern}/?$", view.as_view())


urlpatterns = [
    re_path(r"^command/?$", CommandView.as_view(), name="manager_command"),
    re_path(r"^schema/?$", SchemaView.as_view(), name="manager_schema"),
    *(route(address, commands) for address, commands in ROUTES),
    re_path(r"^.*$", UnknownAddressView.as_view()),
]
