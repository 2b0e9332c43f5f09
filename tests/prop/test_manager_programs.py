"""Programs and groups at the manager door (prop-backoffice 2, 4.1, 4.4)."""

from typing import Any

import pytest

from polysim.kernel.tenancy import enter_building
from prop.models import AccountMode, Program, PropSettings
from prop.services.programs import clone_program, set_program_status
from tenants.office.models import FirmAuditEntry
from tenants.office.services import system_actor
from tests.prop.catalogue import NOW, make_group, make_program
from tests.prop.staff import ManagerDoor, evaluation_step, funded_step, program_body

pytestmark = pytest.mark.django_db


@pytest.fixture
def door(alpha: Any) -> ManagerDoor:
    """An owner at alpha's door, with the two groups."""
    with enter_building("alpha"):
        make_group("EVAL_USD")
        make_group("FUNDED_USD", mode=AccountMode.REAL, deposit="25000")
    return ManagerDoor()


def groups_of_every_kind() -> None:
    with enter_building("alpha"):
        make_group("EVAL_EUR", currency="EUR")
        make_group("FUNDED_EUR", mode=AccountMode.REAL, currency="EUR")
        make_group("EMPTY_USD", deposit="0")
        make_group("OFF_USD", enable=False)


def test_a_created_program_answers_with_its_steps_sorted(door: ManagerDoor) -> None:
    answer = door.run(
        "MngCreatePropProgram", **program_body(steps=[funded_step(), evaluation_step()])
    )
    program, steps = answer["program"], answer["steps"]
    assert program["status"] == 0
    assert program["profit_split"] == 0.75
    assert program["timezone"] == "UTC"
    assert (program["trading_days_mode"], program["on_fail"]) == ("fills", "read_only")
    assert program["payout_mode"] == "auto"
    assert program["created_time"] > 0
    assert [step["phase_index"] for step in steps] == [1, 2]
    assert [step["initial_balance"] for step in steps] == [10000, 25000]
    assert steps[0]["program_id"] == program["id"]
    assert "demo_group" not in steps[0]
    assert door.run("MngGetPropProgram", id=program["id"]) == {
        **answer,
        "counts": {"purchases": 0, "challenges": 0, "active_challenges": 0},
    }


def test_computed_and_deprecated_values_are_ignored_as_input(door: ManagerDoor) -> None:
    first = evaluation_step(initial_balance=5, demo_group="x")
    body = program_body(profit_split=0.1, steps=[first, funded_step()])
    answer = door.run("MngCreatePropProgram", **body)
    assert answer["program"]["profit_split"] == 0.75
    assert answer["steps"][0]["initial_balance"] == 10000


def test_settings_beyond_the_reference_are_kept_and_returned(door: ManagerDoor) -> None:
    settings = {
        "drawdown_mode": "trailing_locked",
        "daily_basis": "higher",
        "consistency_pct": 40,
        "min_profitable_days": 3,
        "profitable_day_pct": 0.5,
        "max_inactive_days": 21,
        "max_exposure_market_pct": 25.5,
        "max_exposure_event_pct": 50,
        "warning_pct": 75,
    }
    steps = [evaluation_step(**settings), funded_step()]
    step = door.run("MngCreatePropProgram", **program_body(steps=steps))["steps"][0]
    assert {name: step[name] for name in settings} == settings


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": "n" * 129}, "name"),
        ({"name": 7}, "name"),
        ({"brand": "b" * 65}, "brand"),
        ({"description": "d" * 4001}, "description"),
        ({"price": -1}, "price"),
        ({"price": "99"}, "price"),
        ({"price": True}, "price"),
        ({"price": 1e300}, "price"),
        ({"price": 0.001}, "price"),
        ({"price_currency": "usd"}, "price_currency"),
        ({"price_currency": "DOLLAR"}, "price_currency"),
        ({"status": 3}, "status"),
        ({"status": 1.5}, "status"),
        ({"sort_index": 2**31}, "sort_index"),
        ({"timezone": "Mars/Olympus"}, "timezone"),
        ({"trading_days_mode": "moons"}, "trading_days_mode"),
        ({"on_fail": 1}, "on_fail"),
        ({"payout_mode": "never"}, "payout_mode"),
        ({"steps": 5}, "steps"),
        ({"steps": [5]}, "steps[0]"),
    ],
)
def test_a_wrong_field_of_a_program_is_named(door: ManagerDoor, fields: Any, path: str) -> None:
    body = door.command("MngCreatePropProgram", program_body(**fields))
    assert (body["status"], body["error"], body["code"]) == (400, "INVALID_DATA", 3)
    assert list(body["fields"]) == [path]
    assert "reason" not in body


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"phase_index": 0}, "phase_index"),
        ({"phase_index": 11}, "phase_index"),
        ({"phase_type": 2}, "phase_type"),
        ({"name": ""}, "name"),
        ({"account_group": 4}, "account_group"),
        ({"duration_days": 3651}, "duration_days"),
        ({"max_daily_loss_pct": 100.000001}, "max_daily_loss_pct"),
        ({"max_total_loss_pct": -0.1}, "max_total_loss_pct"),
        ({"max_daily_profit_pct": 1001}, "max_daily_profit_pct"),
        ({"profit_target_pct": 1000.5}, "profit_target_pct"),
        ({"profit_target_pct": 1.1234567}, "profit_target_pct"),
        ({"profit_split": 1.1}, "profit_split"),
        ({"min_trading_days": 3651}, "min_trading_days"),
        ({"min_trading_days": 5, "max_trading_days": 4}, "max_trading_days"),
        ({"max_positions": 10001}, "max_positions"),
        ({"drawdown_mode": "up"}, "drawdown_mode"),
        ({"warning_pct": 101}, "warning_pct"),
    ],
)
def test_a_wrong_field_of_a_step_is_named_by_its_path(
    door: ManagerDoor, fields: Any, name: str
) -> None:
    steps = [funded_step(), evaluation_step(**fields)]
    body = door.command("MngCreatePropProgram", program_body(steps=steps))
    assert (body["error"], list(body["fields"])) == ("INVALID_DATA", [f"steps[1].{name}"])


@pytest.mark.parametrize(
    "fields",
    [
        {"duration_days": 3650},
        {"max_daily_loss_pct": 100, "max_total_loss_pct": 100},
        {"max_daily_profit_pct": 1000, "profit_target_pct": 1000},
        {"min_trading_days": 4, "max_trading_days": 4},
        {"min_trading_days": 4, "max_trading_days": 0},
        {"max_positions": 10000},
        {"profit_target_pct": 1.123456},
    ],
)
def test_bounds_are_inclusive(door: ManagerDoor, fields: Any) -> None:
    steps = [evaluation_step(**fields), funded_step()]
    step = door.run("MngCreatePropProgram", **program_body(steps=steps))["steps"][0]
    assert {name: step[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([], "STEPS_REQUIRED"),
        ([evaluation_step(phase_index=1) for _ in range(11)], "STEPS_REQUIRED"),
        ([evaluation_step(phase_index=2)], "PHASE_INDEX_INVALID"),
        ([evaluation_step(), evaluation_step()], "PHASE_INDEX_INVALID"),
        ([evaluation_step(), evaluation_step(phase_index=3)], "PHASE_INDEX_INVALID"),
        (
            [evaluation_step(), funded_step(), funded_step(phase_index=3)],
            "MULTIPLE_FUNDED",
        ),
        ([funded_step(phase_index=1), evaluation_step(phase_index=2)], "FUNDED_NOT_LAST"),
        ([evaluation_step(), funded_step(account_group="EVAL_USD")], "FUNDED_GROUP_NOT_REAL"),
        (
            [evaluation_step(account_group="FUNDED_USD"), funded_step()],
            "EVALUATION_GROUP_NOT_DEMO",
        ),
        ([evaluation_step(profit_split=0.5), funded_step()], "PROFIT_SPLIT_NOT_ALLOWED"),
        ([funded_step(phase_index=1)], "NO_EVALUATION_STEP"),
        (
            [evaluation_step(), funded_step(account_group="FUNDED_EUR")],
            "GROUP_CURRENCY_MISMATCH",
        ),
        ([evaluation_step(account_group="EMPTY_USD"), funded_step()], "DEPOSIT_NOT_POSITIVE"),
        ([evaluation_step(profit_target_pct=0, duration_days=0)], "NO_END"),
        # The first in the order of the contract is told.
        ([evaluation_step(phase_index=2, profit_split=1)], "PHASE_INDEX_INVALID"),
        (
            [evaluation_step(profit_split=0.5, account_group="FUNDED_USD"), funded_step()],
            "EVALUATION_GROUP_NOT_DEMO",
        ),
    ],
)
def test_a_rule_of_the_whole_is_told_with_its_reason(
    door: ManagerDoor, steps: Any, reason: str
) -> None:
    groups_of_every_kind()
    body = door.command("MngCreatePropProgram", program_body(steps=steps))
    assert (body["status"], body["error"], body["code"]) == (400, "INVALID_DATA", 3)
    assert body["reason"] == reason
    with enter_building("alpha"):
        assert not Program.objects.exists()


def test_errors_of_fields_come_before_rules_of_the_whole(door: ManagerDoor) -> None:
    steps = [evaluation_step(phase_index=2, duration_days=-1)]
    body = door.command("MngCreatePropProgram", program_body(steps=steps))
    assert "reason" not in body
    assert list(body["fields"]) == ["steps[0].duration_days"]


@pytest.mark.parametrize("group", ["NOWHERE", "OFF_USD"])
def test_an_unknown_or_disabled_group_is_refused(door: ManagerDoor, group: str) -> None:
    groups_of_every_kind()
    steps = [evaluation_step(account_group=group), funded_step()]
    found = door.refuse("MngCreatePropProgram", program_body(steps=steps))
    assert found == (400, "GROUP_NOT_FOUND", 28)


@pytest.mark.parametrize("name", ["brand", "name", "price", "price_currency", "steps"])
def test_a_missing_key_is_a_wrong_request(door: ManagerDoor, name: str) -> None:
    body = program_body()
    del body[name]
    answer = door.command("MngCreatePropProgram", body)
    assert (answer["status"], answer["error"], answer["code"]) == (400, "INVALID_PARAMS", 13)
    assert list(answer["fields"]) == [name]


def test_a_missing_key_of_a_step_is_named(door: ManagerDoor) -> None:
    step = evaluation_step()
    del step["account_group"]
    answer = door.command("MngCreatePropProgram", program_body(steps=[step]))
    assert (answer["error"], list(answer["fields"])) == (
        "INVALID_PARAMS",
        ["steps[0].account_group"],
    )


def test_an_update_keeps_what_is_not_sent(door: ManagerDoor) -> None:
    made = door.run("MngCreatePropProgram", **program_body(description="Old", sort_index=7))
    program_id = made["program"]["id"]
    changed = door.run("MngUpdatePropProgram", id=program_id, name="New", price=0)
    assert (changed["program"]["name"], changed["program"]["price"]) == ("New", 0)
    assert (changed["program"]["description"], changed["program"]["sort_index"]) == ("Old", 7)
    assert changed["steps"] == made["steps"]


def test_steps_are_replaced_as_one_aggregate(door: ManagerDoor) -> None:
    made = door.run("MngCreatePropProgram", **program_body())
    program_id = made["program"]["id"]
    changed = door.run("MngUpdatePropProgram", id=program_id, steps=[evaluation_step()])
    assert len(changed["steps"]) == 1
    assert changed["steps"][0]["id"] not in {step["id"] for step in made["steps"]}
    assert changed["program"]["profit_split"] == 0.0
    refused = door.command("MngUpdatePropProgram", {"id": program_id, "steps": []})
    assert refused["reason"] == "STEPS_REQUIRED"
    assert door.run("MngGetPropProgram", id=program_id)["steps"] == changed["steps"]


@pytest.mark.parametrize("former", [0, 1, 2])
@pytest.mark.parametrize("later", [0, 1, 2])
def test_every_change_of_status_is_allowed(door: ManagerDoor, former: int, later: int) -> None:
    made = door.run("MngCreatePropProgram", **program_body(status=former))
    program_id = made["program"]["id"]
    changed = door.run("MngUpdatePropProgram", id=program_id, status=later)
    assert changed["program"]["status"] == later


def test_activating_checks_the_rules_of_the_whole_again(door: ManagerDoor) -> None:
    made = door.run("MngCreatePropProgram", **program_body(status=1))
    program_id = made["program"]["id"]
    door.run("UpdateGroup", group="EVAL_USD", default_deposit=0)
    door.run("MngUpdatePropProgram", id=program_id, name="Still disabled")
    refused = door.command("MngUpdatePropProgram", {"id": program_id, "status": 0})
    assert refused["reason"] == "DEPOSIT_NOT_POSITIVE"
    door.run("UpdateGroup", group="EVAL_USD", default_deposit=1, enable=0)
    assert door.refuse("MngUpdatePropProgram", {"id": program_id, "status": 0})[1] == (
        "GROUP_NOT_FOUND"
    )


def test_a_clone_is_a_disabled_copy(in_alpha: Any) -> None:
    actor = system_actor("test")
    program = make_program(name="n" * 128)
    copy = clone_program(program_id=program.pk, actor=actor, now=NOW)
    assert copy.pk != program.pk
    assert copy.name == "n" * 121 + " (copy)"
    assert copy.status == 1
    fields = ("phase_index", "name", "account_group_id", "profit_split", "max_daily_loss_pct")
    assert list(copy.steps.order_by("phase_index").values_list(*fields)) == list(
        program.steps.order_by("phase_index").values_list(*fields)
    )
    active = set_program_status(program_id=copy.pk, status=0, actor=actor, now=NOW)
    assert active.status == 0


def test_unknown_ids_answer_not_found(door: ManagerDoor) -> None:
    for name in ("MngGetPropProgram", "MngUpdatePropProgram", "MngDeletePropProgram"):
        assert door.refuse(name, {"id": 404}) == (404, "NOT_FOUND", 23)
        assert door.refuse(name, {"id": 2**62}) == (404, "NOT_FOUND", 23)
        assert door.refuse(name, {}) == (400, "INVALID_PARAMS", 13)
        for wrong in ("4", 4.5, -1, 2**70, True, [4]):
            assert door.refuse(name, {"id": wrong}) == (400, "INVALID_DATA", 3)


def test_writes_are_audited_with_before_and_after(door: ManagerDoor) -> None:
    made = door.run("MngCreatePropProgram", **program_body())
    door.run("MngUpdatePropProgram", id=made["program"]["id"], name="New")
    door.run("MngDeletePropProgram", id=made["program"]["id"])
    with enter_building("alpha"):
        created, updated, deleted = FirmAuditEntry.objects.order_by("id")
    assert (created.action, created.before) == ("prop.program.created", {})
    assert created.after["program"]["price"] == "99"
    assert (created.actor_id, created.role, created.actor_kind) == (door.user.pk, "admin", "staff")
    assert created.object_id == str(made["program"]["id"])
    assert created.request_id
    assert updated.before["program"]["name"] == "Starter 10K"
    assert updated.after["program"]["name"] == "New"
    assert (deleted.action, deleted.after) == ("prop.program.deleted", {})
    assert deleted.before["program"]["name"] == "New"


def test_a_group_is_added_changed_listed_and_deleted(alpha: Any) -> None:
    door = ManagerDoor()
    made = door.run("AddGroup", group="EVAL_USD", currency="USD", enable=1, default_deposit=10000)[
        "group"
    ]
    assert made == {
        "group": "EVAL_USD",
        "brand": "default",
        "account_mode": 0,
        "public_opening": 0,
        "currency": "USD",
        "enable": 1,
        "default_deposit": 10000,
        "maxpositions": 0,
        "grp_index": 0,
    }
    changed = door.run("UpdateGroup", group="EVAL_USD", account_mode=1, maxpositions=3, enable=0)
    assert changed["group"] == {**made, "account_mode": 1, "maxpositions": 3, "enable": 0}
    assert door.run("GetGroups") == {"rows": [changed["group"]], "count": 1}
    assert door.run("DeleteGroup", group="EVAL_USD") == {"deleted": {"groups": 1}}
    assert door.run("GetGroups") == {"rows": [], "count": 0}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"group": ""}, "group"),
        ({"group": "a/b"}, "group"),
        ({"group": "g" * 65}, "group"),
        ({"currency": "us"}, "currency"),
        ({"currency": "ABCDEF"}, "currency"),
        ({"enable": 2}, "enable"),
        ({"default_deposit": -0.01}, "default_deposit"),
        ({"account_mode": 2}, "account_mode"),
        ({"public_opening": "yes"}, "public_opening"),
        ({"maxpositions": -1}, "maxpositions"),
        ({"grp_index": 2**31}, "grp_index"),
        ({"brand": "b" * 65}, "brand"),
    ],
)
def test_a_wrong_field_of_a_group_is_named(alpha: Any, fields: Any, path: str) -> None:
    good = {"group": "EVAL_USD", "currency": "USD", "enable": 1, "default_deposit": 10000}
    answer = ManagerDoor().command("AddGroup", {**good, **fields})
    assert (answer["error"], list(answer["fields"])) == ("INVALID_DATA", [path])


def test_a_group_needs_name_currency_enable_and_deposit(alpha: Any) -> None:
    answer = ManagerDoor().command("AddGroup", {})
    assert answer["error"] == "INVALID_PARAMS"
    assert set(answer["fields"]) == {"group", "currency", "enable", "default_deposit"}


def test_a_group_exists_once(door: ManagerDoor) -> None:
    body = {"group": "EVAL_USD", "currency": "USD", "enable": 1, "default_deposit": 1}
    assert door.refuse("AddGroup", body) == (409, "DUPLICATE", 26)
    assert door.refuse("UpdateGroup", {"group": "X"}) == (404, "NOT_FOUND", 23)
    assert door.refuse("DeleteGroup", {"group": "X"}) == (404, "NOT_FOUND", 23)


def test_a_used_group_keeps_mode_and_currency_and_stays(door: ManagerDoor) -> None:
    door.run("MngCreatePropProgram", **program_body())
    in_use = (409, "GROUP_IN_USE", 29)
    assert door.refuse("UpdateGroup", {"group": "EVAL_USD", "account_mode": 1}) == in_use
    assert door.refuse("UpdateGroup", {"group": "EVAL_USD", "currency": "EUR"}) == in_use
    assert door.refuse("DeleteGroup", {"group": "EVAL_USD"}) == in_use
    changed = door.run("UpdateGroup", group="EVAL_USD", currency="USD", default_deposit=5)
    assert changed["group"]["default_deposit"] == 5


def test_the_group_of_payers_is_in_use(door: ManagerDoor) -> None:
    with enter_building("alpha"):
        PropSettings.objects.create(payer_group=make_group("FUNDED_USD"))
    assert door.refuse("DeleteGroup", {"group": "FUNDED_USD"}) == (409, "GROUP_IN_USE", 29)


def test_nothing_of_another_firm_is_seen(door: ManagerDoor, beta: Any) -> None:
    made = door.run("MngCreatePropProgram", **program_body())
    stranger = ManagerDoor(schema="beta")
    for name in ("MngGetPropProgram", "MngUpdatePropProgram", "MngDeletePropProgram"):
        assert stranger.refuse(name, {"id": made["program"]["id"]})[1] == "NOT_FOUND"
    assert stranger.run("GetGroups")["count"] == 0
    assert stranger.run("MngGetPropProgramsByFilter", limit=10, offset=0)["count"] == 0
    assert stranger.refuse("MngCreatePropProgram", program_body())[1] == "GROUP_NOT_FOUND"
