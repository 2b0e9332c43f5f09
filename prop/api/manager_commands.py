"""Every command of the manager door: its right, and the one call that it makes.

A command takes `data`, an object, and answers an object; the REST routes and the command endpoint
both run it. Contract: prop-backoffice 4.
"""

from collections.abc import Callable, Mapping
from typing import Any

from prop.api.manager_actions import ACTIONS
from prop.api.manager_call import ID_MAX, Answer, Call, Command
from prop.errors import InvalidParams
from prop.objects import group_object, purchase_object
from prop.selectors.challenges import (
    Wanted,
    get_challenge_details,
    get_purchase_details,
    read_breaches,
    read_metrics,
)
from prop.selectors.programs import get_program, list_groups, program_answer
from prop.selectors.tables import CHALLENGES, PAYOUTS, PROGRAMS, PURCHASES, Table, read_table
from prop.services.groups import add_group, delete_group, update_group
from prop.services.programs import create_program, delete_program, update_program
from prop.services.purchase_records import delete_purchase, update_purchase_record
from prop.services.reading import Fields

PAGE_MAX = 1000
PAGE_DEFAULT = 100
PHASE_INDEX_MAX = 10


def _create_program(call: Call) -> Answer:
    return program_answer(create_program(data=call.data, **call.by))


def _update_program(call: Call) -> Answer:
    program_id = call.take_id()
    return program_answer(update_program(program_id=program_id, data=call.changes, **call.by))


def _get_program(call: Call) -> Answer:
    return get_program(program_id=call.take_id())


def _delete_program(call: Call) -> Answer:
    return {"deleted": delete_program(program_id=call.take_id(), **call.by)}


def _list(table: Table) -> Callable[[Call], Answer]:
    return lambda call: read_table(table, call.data)


def _get_groups(call: Call) -> Answer:
    return list_groups()


def _add_group(call: Call) -> Answer:
    return {"group": group_object(add_group(data=call.data, **call.by))}


def _update_group(call: Call) -> Answer:
    group = update_group(name=call.take_name(), data=call.data, **call.by)
    return {"group": group_object(group)}


def _delete_group(call: Call) -> Answer:
    delete_group(name=call.take_name(), **call.by)
    return {"deleted": {"groups": 1}}


def _get_challenge(call: Call) -> Answer:
    return get_challenge_details(challenge_id=call.take_id(), now=call.now)


def _get_metrics(call: Call) -> Answer:
    page = read_metrics(challenge_id=call.take_id(), wanted=_read_wanted(call))
    return {"rows": page.rows, "count": page.count}


def _get_breaches(call: Call) -> Answer:
    page = read_breaches(challenge_id=call.take_id(), wanted=_read_wanted(call))
    return {"rows": page.rows, "count": page.count}


def _read_wanted(call: Call) -> Wanted:
    fields = Fields(call.data)
    index = fields.take_whole("phase_index", least=1, most=PHASE_INDEX_MAX, default=0)
    wanted = Wanted(
        limit=fields.take_whole("limit", least=1, most=PAGE_MAX, default=PAGE_DEFAULT),
        offset=fields.take_whole("offset", most=ID_MAX),
        phase_index=index or None,
    )
    fields.check()
    return wanted


def _get_purchase(call: Call) -> Answer:
    return get_purchase_details(purchase_id=call.take_id())


def _update_purchase(call: Call) -> Answer:
    purchase = update_purchase_record(purchase_id=call.take_id(), data=call.changes, **call.by)
    return {"purchase": purchase_object(purchase)}


def _delete_purchase(call: Call) -> Answer:
    counts = delete_purchase(purchase_id=call.take_id(), **call.by)
    return {"deleted": {name: counts[name] for name in ("purchases", "challenges")}}


COMMANDS: dict[str, Command] = {
    "MngCreatePropProgram": Command("programs.edit", _create_program),
    "MngUpdatePropProgram": Command("programs.edit", _update_program),
    "MngGetPropProgram": Command("programs.view", _get_program),
    "MngGetPropProgramsByFilter": Command("programs.view", _list(PROGRAMS)),
    "MngDeletePropProgram": Command("programs.edit", _delete_program),
    "MngGetPropChallangesByFilter": Command("challenges.view", _list(CHALLENGES)),
    "MngGetPropChallengesByFilter": Command("challenges.view", _list(CHALLENGES)),
    "MngGetPropChallenge": Command("challenges.view", _get_challenge),
    "MngGetPropChallengeMetrics": Command("challenges.view", _get_metrics),
    "MngGetPropChallengeBreaches": Command("challenges.view", _get_breaches),
    "MngGetPropPurchasesByFilter": Command("purchases.view", _list(PURCHASES)),
    "MngGetPropPurchase": Command("purchases.view", _get_purchase),
    "MngUpdatePropPurchase": Command("purchases.edit", _update_purchase),
    "MngDeletePropPurchase": Command("purchases.edit", _delete_purchase),
    "GetGroups": Command("programs.view", _get_groups),
    "AddGroup": Command("programs.edit", _add_group),
    "UpdateGroup": Command("programs.edit", _update_group),
    "DeleteGroup": Command("programs.edit", _delete_group),
    "MngGetPropPayoutsByFilter": Command("payouts.view", _list(PAYOUTS)),
    **ACTIONS,
}


def read_object(value: object, *, name: str) -> Mapping[str, Any]:
    """A JSON object. Raises InvalidParams."""
    if not isinstance(value, Mapping):
        raise InvalidParams(f"{name} must be a JSON object")
    return value
