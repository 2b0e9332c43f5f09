"""Staff who do the same thing at once, with real threads and connections."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from polysim.kernel.tenancy import enter_building
from prop.models import AccountGroup, AccountMode, Program, Purchase, Step
from tests.evaluator import build
from tests.prop.catalogue import make_group
from tests.prop.staff import ManagerDoor, evaluation_step, funded_step, program_body
from wallets.models import Wallet

pytestmark = pytest.mark.usefixtures("transactional_db")


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at the same moment, each on a connection of its own."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def errors(answers: Sequence[Any]) -> list[str]:
    return sorted(body.get("error", "") for body in answers)


def test_a_group_is_added_once() -> None:
    door = ManagerDoor()
    body = {"group": "EVAL_USD", "currency": "USD", "enable": 1, "default_deposit": 1}
    answers = at_once(*[lambda: door.command("AddGroup", body)] * 4)
    assert errors(answers) == ["", "DUPLICATE", "DUPLICATE", "DUPLICATE"]
    with enter_building("alpha"):
        assert AccountGroup.objects.count() == 1


def test_two_updates_of_steps_leave_one_whole_program() -> None:
    with enter_building("alpha"):
        make_group("EVAL_USD")
        make_group("FUNDED_USD", mode=AccountMode.REAL)
    door = ManagerDoor()
    program_id = door.run("MngCreatePropProgram", **program_body())["program"]["id"]
    one = {"id": program_id, "steps": [evaluation_step(name="One")]}
    two = {"id": program_id, "steps": [evaluation_step(name="Two"), funded_step()]}
    calls = [
        lambda data=data: door.command("MngUpdatePropProgram", data) for data in (one, two) * 3
    ]
    assert errors(at_once(*calls)) == [""] * 6
    with enter_building("alpha"):
        steps = list(Step.objects.order_by("phase_index").values_list("phase_index", "name"))
    assert steps in ([(1, "One")], [(1, "Two"), (2, "Funded")])


def test_a_group_is_never_deleted_under_a_new_program() -> None:
    door = ManagerDoor()
    for number in range(5):
        name = f"EVAL_{number}"
        with enter_building("alpha"):
            make_group(name)
        body = program_body(steps=[evaluation_step(account_group=name)])
        created, deleted = at_once(
            lambda body=body: door.command("MngCreatePropProgram", body),
            lambda name=name: door.command("DeleteGroup", {"group": name}),
        )
        pair = (created.get("error", ""), deleted.get("error", ""))
        assert pair in (("", "GROUP_IN_USE"), ("GROUP_NOT_FOUND", ""))


def test_a_program_is_deleted_once_while_its_challenges_run() -> None:
    with enter_building("alpha"):
        program = build.program()
        running = [build.start(program) for _ in range(3)]
    door = ManagerDoor()
    answers = at_once(*[lambda: door.command("MngDeletePropProgram", {"id": program.pk})] * 3)
    assert errors(answers) == ["", "NOT_FOUND", "NOT_FOUND"]
    (done,) = (body["data"]["deleted"] for body in answers if body["status"] == 200)
    assert (done["purchases"], done["challenges"], done["challenge_phases"]) == (3, 3, 3)
    with enter_building("alpha"):
        assert not Program.objects.exists()
        assert not Purchase.objects.exists()
        logins = [challenge.account_login for challenge in running]
        states = Wallet.objects.filter(pk__in=logins).values_list("trading_state", flat=True)
        assert list(states) == ["READ_ONLY"] * 3
