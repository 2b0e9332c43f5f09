"""Who may open the manager door, its envelope, its limits, its refusals (prop-backoffice 1)."""

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polysim.kernel import ratelimits
from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from prop.api.manager_actions import ACTIONS
from prop.api.manager_commands import COMMANDS
from tenants.models import Firm, StaffMembership
from tenants.office.services import system_actor
from tenants.services.tenant_keys import create_tenant_key
from tests.prop.staff import ManagerDoor, ManagerSession, make_staff
from tests.support.door import Bot
from tests.support.exchange import make_user

pytestmark = pytest.mark.django_db

ROLES = ("admin", "manager", "dealer", "crm_admin", "crm_manager", "viewer")
MONEY_OR_ENDING = {name for name in ACTIONS if name != "MngGetPropPayout"}
READS = {name for name in COMMANDS if "Get" in name}


def test_success_has_the_envelope(alpha: Any) -> None:
    door = ManagerDoor()
    for external_id in ("a-17", 17, ""):
        body = door.command("GetGroups", {}, extID=external_id)
        request_id = body.pop("request_id")
        assert request_id
        assert body == {"extID": external_id, "status": 200, "data": {"rows": [], "count": 0}}
    without = door.command("GetGroups", {}, __token="x", __access="y")
    assert "extID" not in without


def test_failure_has_the_envelope(alpha: Any) -> None:
    answer = ManagerDoor().send(
        "POST", "command", {"command": "MngGetPropProgram", "extID": "a-17", "data": {"id": 4}}
    )
    body = answer.json()
    assert answer["X-Polysim-Code"] == "NOT_FOUND"
    assert body.pop("request_id") == answer["X-Request-Id"]
    assert body == {
        "extID": "a-17",
        "status": 404,
        "error": "NOT_FOUND",
        "code": 23,
        "message": "Program 4 does not exist",
        "fields": {},
    }


def test_rest_errors_have_neither_ext_id_nor_status(alpha: Any) -> None:
    answer = ManagerDoor().send("GET", "prop/programs/4")
    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "code", "message", "fields", "request_id"}


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        ("{", "INVALID_PARAMS", 13),
        ("", "INVALID_PARAMS", 13),
        ("[]", "INVALID_PARAMS", 13),
        ('"x"', "INVALID_PARAMS", 13),
        ('{"command": NaN}', "INVALID_PARAMS", 13),
        ("{}", "INVALID_PARAMS", 13),
        ('{"command": 5}', "INVALID_DATA", 3),
        ('{"command": "GetGroups", "extID": {}}', "INVALID_DATA", 3),
        ('{"command": "GetGroups", "extID": 1.5}', "INVALID_DATA", 3),
        ('{"command": "GetGroups", "data": []}', "INVALID_DATA", 3),
        ('{"command": "getgroups"}', "UNKNOWN_COMMAND", 13),
        ('{"command": "__class__"}', "UNKNOWN_COMMAND", 13),
    ],
)
def test_a_body_that_is_no_command_is_refused(alpha: Any, body: str, error: str, code: int) -> None:
    answer = ManagerDoor().send("POST", "command", body)
    assert answer.status_code == 400, answer.content
    assert (answer.json()["error"], answer.json()["code"]) == (error, code)


def test_nobody_a_customer_and_staff_of_another_firm_stay_outside(alpha: Any, beta: Any) -> None:
    nobody = ManagerDoor()
    nobody.headers = {}
    assert nobody.refuse("GetGroups") == (401, "UNAUTHORIZED", 12)
    nobody.headers = {"Authorization": "Bearer nonsense"}
    assert nobody.refuse("GetGroups") == (401, "UNAUTHORIZED", 12)
    no_rights = (403, "NOT_ENOUGH_RIGHTS", 7)
    assert ManagerDoor(user=make_user()).refuse("GetGroups") == no_rights
    assert ManagerDoor(user=make_staff(schema="beta")).refuse("GetGroups") == no_rights
    assert ManagerSession(make_user()).refuse("GetGroups") == no_rights
    # A token counts on the host of its firm only.
    foreign = ManagerDoor(schema="beta", host="alpha.localhost")
    assert foreign.refuse("GetGroups") == (401, "UNAUTHORIZED", 12)


def test_keys_are_never_staff(alpha: Any) -> None:
    door = ManagerDoor()
    door.headers = {"X-API-Key": Bot().headers["X-API-Key"]}
    assert door.refuse("GetGroups") == (403, "NOT_ENOUGH_RIGHTS", 7)
    door.headers = {"Authorization": f"Bearer {door.headers['X-API-Key']}"}
    assert door.refuse("GetGroups") == (403, "NOT_ENOUGH_RIGHTS", 7)
    door.headers = {"X-API-Key": "ps_test_unknown"}
    assert door.refuse("GetGroups") == (401, "UNAUTHORIZED", 12)


def test_a_partner_key_is_not_staff(alpha: Any) -> None:
    with enter_building("alpha"):
        made = create_tenant_key(
            firm=Firm.objects.get(slug="alpha"),
            name="server",
            permissions=["accounts:read"],
            expires_at=None,
            actor=system_actor("tests"),
            now=utc_now(),
        )
    raw_key = next(part for part in made if isinstance(part, str))
    for headers in ({"X-API-Key": raw_key}, {"Authorization": f"Bearer {raw_key}"}):
        door = ManagerDoor()
        door.headers = headers
        assert door.refuse("GetGroups") == (403, "NOT_ENOUGH_RIGHTS", 7)


def test_a_session_needs_its_csrf_token_for_writes(alpha: Any) -> None:
    staff = make_staff()
    assert ManagerSession(staff).run("GetGroups")["count"] == 0
    assert ManagerSession(staff, csrf=False).refuse("GetGroups") == (403, "NOT_ENOUGH_RIGHTS", 7)
    assert ManagerSession(staff, csrf=False).send("GET", "groups").status_code == 200


def test_the_platforms_host_has_no_staff(alpha: Any) -> None:
    answer = ManagerSession(make_staff(), host="localhost").send(
        "POST", "command", {"command": "GetGroups"}
    )
    assert (answer.status_code, answer.json()["error"]) == (403, "NOT_ENOUGH_RIGHTS")


def test_a_role_that_ended_opens_nothing(alpha: Any) -> None:
    door = ManagerDoor()
    door.run("GetGroups")
    StaffMembership.objects.filter(user=door.user).update(is_active=False)
    assert door.refuse("GetGroups") == (403, "NOT_ENOUGH_RIGHTS", 7)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_run_its_commands(alpha: Any, role: str) -> None:
    """A command that the role lacks is refused before its data are looked at."""
    door = ManagerDoor(role)
    for name in COMMANDS:
        body = door.command(name, {})
        is_refused = body["status"] == 403
        if name in MONEY_OR_ENDING:
            expected = role in ("admin", "manager", "crm_admin")
        else:
            expected = role != "viewer" or name in READS
        assert is_refused is not expected, (name, body)


def test_an_owner_takes_a_right_from_a_role(alpha: Any) -> None:
    Firm.objects.filter(slug="alpha").update(taken_rights={"manager": ["programs.edit"]})
    door = ManagerDoor("manager")
    assert door.refuse("MngCreatePropProgram") == (403, "NOT_ENOUGH_RIGHTS", 7)
    assert door.run("GetGroups")["count"] == 0
    assert ManagerDoor("dealer").refuse("MngCreatePropProgram")[1] == "INVALID_PARAMS"
    assert ManagerDoor("admin").refuse("MngCreatePropProgram")[1] == "INVALID_PARAMS"


def test_three_hundred_calls_a_minute(alpha: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    door, other = ManagerDoor(), ManagerDoor()
    frozen = int(utc_now().timestamp()) // 60 * 60_000
    count = ratelimits.count_request
    monkeypatch.setattr(
        ratelimits, "count_request", lambda name, **terms: count(name, **terms, now_ms=frozen)
    )
    for _ in range(300):
        answer = door.send("GET", "groups")
    assert answer.status_code == 200
    answer = door.send("POST", "command", {"command": "GetGroups", "extID": 1})
    assert answer.status_code == 429
    assert int(answer["Retry-After"]) > 0
    assert (answer.json()["error"], answer.json()["code"]) == ("TOO_FREQUENT", 22)
    assert other.send("GET", "groups").status_code == 200


REST = [
    ("POST", "prop/programs", "MngCreatePropProgram"),
    ("PATCH", "prop/programs/4", "MngUpdatePropProgram"),
    ("PUT", "prop/programs/4", "MngUpdatePropProgram"),
    ("DELETE", "prop/programs/4", "MngDeletePropProgram"),
    ("GET", "prop/challenges", "MngGetPropChallangesByFilter"),
    ("GET", "prop/challenges/4", "MngGetPropChallenge"),
    ("GET", "prop/challenges/4/metrics", "MngGetPropChallengeMetrics"),
    ("GET", "prop/challenges/4/breaches", "MngGetPropChallengeBreaches"),
    ("GET", "prop/purchases", "MngGetPropPurchasesByFilter"),
    ("GET", "prop/purchases/4", "MngGetPropPurchase"),
    ("PATCH", "prop/purchases/4", "MngUpdatePropPurchase"),
    ("DELETE", "prop/purchases/4", "MngDeletePropPurchase"),
    ("POST", "groups", "AddGroup"),
    ("PATCH", "groups/A", "UpdateGroup"),
    ("PUT", "groups/A", "UpdateGroup"),
    ("DELETE", "groups/A", "DeleteGroup"),
    ("POST", "prop/challenges/grant", "MngGrantPropChallenge"),
    ("POST", "prop/challenges/4/cancel", "MngCancelPropChallenge"),
    ("POST", "prop/challenges/4/reset", "MngResetPropChallenge"),
    ("POST", "prop/challenges/4/close", "MngClosePropFundedPhase"),
    ("POST", "prop/purchases/4/refund", "MngRefundPropPurchase"),
    ("POST", "prop/purchases/4/retry", "MngRetryPropPurchase"),
    ("GET", "prop/payouts", "MngGetPropPayoutsByFilter"),
    ("GET", "prop/payouts/4", "MngGetPropPayout"),
    ("POST", "prop/payouts/4/approve", "MngApprovePropPayout"),
    ("POST", "prop/payouts/4/reject", "MngRejectPropPayout"),
    ("POST", "accounts/4/balance", "MngAddBalance"),
    ("POST", "prop/jobs/4/retry", "MngRetryPropJob"),
]


def test_every_route_runs_its_command(alpha: Any) -> None:
    """The route and the command answer the same, apart from the envelope."""
    door = ManagerDoor()
    for method, path, name in REST:
        place: dict[str, Any] = {}
        if "/4" in path:
            place = {"login" if "accounts" in path else "id": 4}
        if "/A" in path:
            place = {"group": "A"}
        body = {} if method in ("POST", "PATCH", "PUT") else None
        answer = door.send(method, path, body)
        paged = {"limit": 50, "offset": 0} if name.endswith("Filter") else {}
        expected = door.command(name, {**place, **paged})
        assert answer.status_code == expected["status"], (path, answer.content)
        if answer.status_code == 200:
            assert answer.json() == expected["data"]
        else:
            assert answer.json()["error"] == expected["error"], (path, answer.content)
            assert answer.json()["message"] == expected["message"]


def test_the_rest_of_http(alpha: Any) -> None:
    door = ManagerDoor()
    assert door.send("DELETE", "prop/programs").status_code == 405
    for unknown in ("prop/nothing", "prop/programs/abc", "prop/programs/" + "9" * 19, ""):
        answer = door.send("GET", unknown)
        assert (answer.status_code, answer.json()["code"]) == (404, 23)
    assert door.send("HEAD", "groups").status_code == 200
    plain = Client().generic(
        "POST",
        "/v1/manager/command",
        data=json.dumps({"command": "GetGroups"}),
        content_type="text/plain",
        headers={"Host": door.host, **door.headers},
    )
    assert plain.status_code == 415


def test_the_document_names_every_route_and_command(alpha: Any) -> None:
    answer = Client().get("/v1/manager/schema", headers={"Host": "alpha.localhost"})
    document = answer.json()
    envelope = document["paths"]["/v1/manager/command"]["post"]["requestBody"]
    schema = envelope["content"]["application/json"]["schema"]
    assert schema["properties"]["command"]["enum"] == sorted(COMMANDS)
    described = {
        (method.upper(), path.removeprefix("/v1/manager/"))
        for path, item in document["paths"].items()
        for method in item
    }
    places = {"/4": "/{id}", "/A": "/{group}"}
    for method, path, _ in REST:
        address = path.replace("accounts/4", "accounts/{login}")
        for sample, place in places.items():
            address = address.replace(sample, place)
        assert (method, address) in described
    step = document["components"]["schemas"]["Step"]
    assert step["properties"]["max_daily_loss_pct"]["maximum"] == 100
    assert step["required"] == ["phase_index", "name", "account_group"]


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["id", "=", "like", "asc", "2027-01-01", "\x00", "%", "EVAL_USD"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "name", "phase_index", "account_group"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)
NAMES = sorted(
    {"id", "limit", "offset", "steps", "login", "amount", "comment", "reason", "phase_index"}
    | {"where", "whereIn", "whereBetween", "whereNot", "orderBy", "failure_reason", "timezone"}
    | {"name", "brand", "price", "price_currency", "group", "currency", "enable", "status"}
    | {"default_deposit", "idempotency_key", "customer_id", "program_id"}
)
DATA = st.dictionaries(st.sampled_from(NAMES), JSON_VALUES, max_size=6)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(name=st.sampled_from(sorted(COMMANDS)), data=DATA)
def test_no_input_is_a_tech_problem(alpha: Any, name: str, data: Any) -> None:
    ratelimits.get_redis().flushall()
    door = ManagerDoor(user=_staff_once())
    body = door.command(name, data)
    assert body["status"] in (200, 400, 404, 409), (name, data, body)


def _staff_once() -> Any:
    membership = StaffMembership.objects.filter(role="admin").select_related("user").first()
    return membership.user if membership else make_staff()
