"""The table format: filters, order, pages (prop-backoffice 1.4)."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from polysim.kernel.tenancy import enter_building
from prop.models import Challenge, ChallengeStatus, Payout, Program, Purchase
from prop.selectors.conditions import like_pattern
from prop.selectors.tables import CHALLENGES, read_table
from tests.prop.catalogue import NOW, make_program
from tests.prop.staff import ManagerDoor
from tests.support.exchange import make_user

pytestmark = pytest.mark.django_db
START = int(NOW.timestamp())


@pytest.fixture
def door(alpha: Any) -> ManagerDoor:
    """Four programs: names, prices and times differ."""
    rows = [
        ("Starter 10K", "99", 10, 0),
        ("starter 25k_x", "199.5", 5, 0),
        ("Pro 100%", "0", 20, 1),
        ("Back\\slash", "99.01", 20, 2),
    ]
    with enter_building("alpha"):
        for number, (name, price, sort_index, status) in enumerate(rows):
            make_program(
                name=name,
                price=Decimal(price),
                sort_index=sort_index,
                status=status,
                description="",
                created_at=NOW + timedelta(seconds=number, milliseconds=500),
            )
    return ManagerDoor()


def names(door: ManagerDoor, **wanted: Any) -> list[str]:
    table = door.run("MngGetPropProgramsByFilter", **{"limit": 50, "offset": 0, **wanted})
    return [row[table["structure"].index("name")] for row in table["rows"]]


def test_a_table_has_its_structure_rows_and_the_number_of_all(door: ManagerDoor) -> None:
    table = door.run("MngGetPropProgramsByFilter", limit=1, offset=1)
    assert table["structure"] == [
        "id",
        "brand",
        "name",
        "description",
        "price",
        "price_currency",
        "profit_split",
        "status",
        "sort_index",
        "phases_count",
        "created_time",
        "updated_time",
    ]
    assert table["count"] == 4
    (row,) = table["rows"]
    assert row[2:] == ["Starter 10K", "", 99.0, "USD", 0.75, 0, 10, 2, START, START]


def test_programs_come_by_sort_index_then_id(door: ManagerDoor) -> None:
    assert names(door) == ["starter 25k_x", "Starter 10K", "Pro 100%", "Back\\slash"]
    assert names(door, limit=2) == ["starter 25k_x", "Starter 10K"]
    assert names(door, offset=3) == ["Back\\slash"]
    assert names(door, offset=2**63 - 1) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"where": [["name", "=", "Starter 10K"]]}, ["Starter 10K"]),
        ({"where": [["name", "!=", "Starter 10K"], ["status", "=", 0]]}, ["starter 25k_x"]),
        ({"where": [["name", "like", "STARTER"]]}, ["starter 25k_x", "Starter 10K"]),
        ({"where": [["name", "like", "s%r 1"]]}, ["Starter 10K"]),
        ({"where": [["name", "like", "k_x"]]}, ["starter 25k_x"]),
        ({"where": [["name", "like", "1_K"]]}, []),
        ({"where": [["name", "like", "k\\s"]]}, ["Back\\slash"]),
        ({"where": [["name", "like", "'; DROP TABLE prop_program; --"]]}, []),
        ({"where": [["price", ">", 99]]}, ["starter 25k_x", "Back\\slash"]),
        ({"where": [["price", ">=", 99], ["price", "<", 100]]}, ["Starter 10K", "Back\\slash"]),
        ({"where": [["price", "<=", 99.005]]}, ["Starter 10K", "Pro 100%"]),
        ({"where": [["price", "=", 99.0]]}, ["Starter 10K"]),
        ({"whereNot": [["status", 0], ["status", 1]]}, ["Back\\slash"]),
        ({"whereIn": [["status", [1, 2]]]}, ["Pro 100%", "Back\\slash"]),
        ({"whereIn": [["status", []]]}, []),
        ({"whereNotIn": [["status", [1, 2]]]}, ["starter 25k_x", "Starter 10K"]),
        ({"whereBetween": [["price", [99, 99.01]]]}, ["Starter 10K", "Back\\slash"]),
        ({"whereNotBetween": [["price", [99, 99.01]]]}, ["starter 25k_x", "Pro 100%"]),
        ({"whereBetween": [["name", ["A", "C"]]]}, ["Back\\slash"]),
        ({"where": [["created_time", "=", START + 1]]}, ["starter 25k_x"]),
        ({"where": [["created_time", ">", START + 1]]}, ["Pro 100%", "Back\\slash"]),
        ({"where": [["created_time", "<=", START]]}, ["Starter 10K"]),
        ({"whereIn": [["created_time", [START, START + 3]]]}, ["Starter 10K", "Back\\slash"]),
        ({"where": [["created_time", "!=", START]], "limit": 1}, ["starter 25k_x"]),
        (
            {"orderBy": [["status", "desc"], ["price", "asc"]]},
            ["Back\\slash", "Pro 100%", "Starter 10K", "starter 25k_x"],
        ),
        ({"orderBy": [["id", "desc"]], "limit": 1}, ["Back\\slash"]),
        (
            {"where": None, "orderBy": []},
            ["starter 25k_x", "Starter 10K", "Pro 100%", "Back\\slash"],
        ),
    ],
)
def test_filters_choose_rows(door: ManagerDoor, wanted: Any, found: list[str]) -> None:
    assert names(door, **wanted) == found


@pytest.mark.parametrize(
    "wanted",
    [
        {"where": [["secret", "=", 1]]},
        {"where": [["profit_split", "=", 1]]},
        {"where": [["phases_count", "=", 1]]},
        {"where": [["pk", "=", 1]]},
        {"where": [["steps__name", "=", "x"]]},
        {"where": [["status", "like", "1"]]},
        {"where": [["name", ">", "a"]]},
        {"where": [["status", "==", 1]]},
        {"where": [["status", None, 1]]},
        {"where": [["status", "=", "1"]]},
        {"where": [["status", "=", 1.5]]},
        {"where": [["status", "=", True]]},
        {"where": [["status", "=", 2**63]]},
        {"where": [["price", "=", "99"]]},
        {"where": [["price", "<", 1e300]]},
        {"where": [["name", "=", 5]]},
        {"where": [["name", "like", "x" * 256]]},
        {"where": [["name", "="]]},
        {"where": [[["name"], "=", "x"]]},
        {"where": ["name"]},
        {"where": {"name": "x"}},
        {"where": [["name", "=", "x"]] * 101},
        {"whereNot": [["name", "=", "x"]]},
        {"whereIn": [["status", 1]]},
        {"whereIn": [["status", list(range(1001))]]},
        {"whereIn": [["name", [1]]]},
        {"whereBetween": [["price", [1]]]},
        {"whereBetween": [["price", 1]]},
        {"whereBetween": [["price", [1, "2"]]]},
        {"orderBy": [["name", "up"]]},
        {"orderBy": [["name"]]},
        {"orderBy": [["program_name", "asc"]]},
        {"orderBy": "name"},
        {"orderBy": [["name", "asc"]] * 11},
    ],
)
def test_a_bad_filter_or_order_is_refused(door: ManagerDoor, wanted: Any) -> None:
    data = {"limit": 50, "offset": 0, **wanted}
    assert door.refuse("MngGetPropProgramsByFilter", data) == (400, "INVALID_PARAMS", 13)


@pytest.mark.parametrize("wanted", [{}, {"limit": 5}, {"offset": 0}])
def test_limit_and_offset_are_required_in_commands(door: ManagerDoor, wanted: Any) -> None:
    assert door.refuse("MngGetPropProgramsByFilter", wanted) == (400, "INVALID_PARAMS", 13)


@pytest.mark.parametrize("limit", [0, 50_001, "5", 1.5, True])
def test_a_limit_outside_its_bounds_is_named(door: ManagerDoor, limit: Any) -> None:
    answer = door.command("MngGetPropProgramsByFilter", {"limit": limit, "offset": 0})
    assert (answer["error"], list(answer["fields"])) == ("INVALID_DATA", ["limit"])


def test_on_rest_filters_are_json_in_the_query(door: ManagerDoor) -> None:
    query = urlencode({"where": json.dumps([["status", "=", 0]]), "orderBy": '[["price","desc"]]'})
    body = door.send("GET", f"prop/programs?{query}").json()
    assert body["count"] == 2
    assert [row[2] for row in body["rows"]] == ["starter 25k_x", "Starter 10K"]
    assert door.send("GET", "prop/programs/").json()["count"] == 4
    assert len(door.send("GET", "prop/programs?limit=3&offset=2&other=x").json()["rows"]) == 2
    for bad in ("where=x", "limit=x", "where=[[", "limit="):
        answer = door.send("GET", f"prop/programs?{bad}")
        assert (answer.status_code, answer.json()["error"]) == (400, "INVALID_PARAMS")


def make_purchases(program: Program, count: int, **fields: Any) -> list[Purchase]:
    customer = make_user()
    values = {
        "program": program,
        "customer": customer,
        "payer_login": 7,
        "amount": Decimal("99"),
        "currency": "USD",
        "amount_account_currency": Decimal("99"),
        "created_at": NOW,
        "updated_at": NOW,
        **fields,
    }
    return Purchase.objects.bulk_create([Purchase(**values) for _ in range(count)])


def test_purchases_are_listed_with_names_and_hidden_filter_fields(alpha: Any) -> None:
    with enter_building("alpha"):
        program = make_program(name="Starter")
        first, second = make_purchases(program, 2)
        Purchase.objects.filter(pk=first.pk).update(idempotency_key="k-1", comment="Hello")
    door = ManagerDoor()
    table = door.run("MngGetPropPurchasesByFilter", limit=10, offset=0)
    assert table["structure"] == [
        "id",
        "program_id",
        "program_name",
        "customer_id",
        "payer_login",
        "account_login",
        "status",
        "status_name",
        "amount",
        "currency",
        "payment_status",
        "activation_status",
        "failure_reason",
        "created_time",
        "updated_time",
    ]
    assert [row[0] for row in table["rows"]] == [second.pk, first.pk]
    assert table["rows"][0][1:] == [
        program.pk,
        "Starter",
        second.customer_id,
        7,
        0,
        0,
        "pending",
        99.0,
        "USD",
        "pending",
        "pending",
        "",
        START,
        START,
    ]
    for where, found in (
        (["idempotency_key", "=", "k-1"], first.pk),
        (["idempotency_key", "=", ""], second.pk),
        (["idempotency_key", "!=", "k-1"], second.pk),
        (["comment", "like", "hell"], first.pk),
    ):
        rows = door.run("MngGetPropPurchasesByFilter", limit=9, offset=0, where=[where])["rows"]
        assert [row[0] for row in rows] == [found]
    for hidden in ("program_name", "status_name"):
        data = {"limit": 9, "offset": 0, "where": [[hidden, "=", "x"]]}
        assert door.refuse("MngGetPropPurchasesByFilter", data)[1] == "INVALID_PARAMS"


def test_challenges_count_times_that_are_not_set_as_zero(alpha: Any) -> None:
    with enter_building("alpha"):
        program = make_program(name="Starter")
        purchases = make_purchases(program, 2)
        ended_at = datetime(2027, 1, 6, tzinfo=UTC)
        running, ended = Challenge.objects.bulk_create(
            [
                Challenge(
                    purchase=purchase,
                    program=program,
                    customer_id=purchase.customer_id,
                    status=status,
                    terms={},
                    snapshot_at=NOW,
                    start_at=NOW,
                    end_at=end_at,
                    created_at=NOW,
                    updated_at=NOW,
                )
                for purchase, status, end_at in zip(
                    purchases, (1, 3), (None, ended_at), strict=True
                )
            ]
        )
    door = ManagerDoor()
    seconds = int(ended_at.timestamp())
    for where, found in (
        (["end_time", "=", 0], [running.pk]),
        (["end_time", "!=", 0], [ended.pk]),
        (["end_time", "<", seconds], [running.pk]),
        (["end_time", "<=", seconds], [ended.pk, running.pk]),
        (["end_time", ">", 0], [ended.pk]),
        (["end_time", ">=", 0], [ended.pk, running.pk]),
    ):
        table = door.run("MngGetPropChallangesByFilter", limit=9, offset=0, where=[where])
        assert [row[0] for row in table["rows"]] == found, where
    assert table["structure"] == [
        "id",
        "purchase_id",
        "program_id",
        "program_name",
        "customer_id",
        "account_login",
        "current_phase_index",
        "status",
        "start_time",
        "end_time",
        "created_time",
        "updated_time",
    ]
    kept = door.run(
        "MngGetPropChallengesByFilter", limit=9, offset=0, whereNotIn=[["end_time", [0]]]
    )
    assert [row[0] for row in kept["rows"]] == [ended.pk]


def test_payouts_without_links_show_null(alpha: Any) -> None:
    with enter_building("alpha"):
        payout = Payout.objects.create(
            customer=make_user(),
            funded_login=5,
            profit=Decimal("4321.57"),
            profit_split=Decimal("0.8"),
            amount=Decimal("3457.25"),
            firm_amount=Decimal("864.32"),
            currency="USD",
            created_at=NOW,
            updated_at=NOW,
        )
    door = ManagerDoor()
    table = door.run(
        "MngGetPropPayoutsByFilter",
        limit=9,
        offset=0,
        where=[["decided_by", "=", 0], ["challenge_id", "!=", 4]],
    )
    row = dict(zip(table["structure"], table["rows"][0], strict=True))
    shown = door.run("MngGetPropPayout", id=payout.pk)["payout"]
    assert row == {name: value for name, value in shown.items() if name != "account_id"}
    assert (row["challenge_id"], row["decided_by"], row["paid_time"]) == (None, 0, 0)
    assert (row["profit"], row["amount"], row["status_name"]) == (4321.57, 3457.25, "pending")


def test_only_the_percent_sign_is_a_wildcard() -> None:
    assert like_pattern("50%_a\\b") == "%50%\\_a\\\\b%"


def test_a_long_list_takes_two_queries(in_alpha: Any) -> None:
    program = make_program()
    purchases = make_purchases(program, 300)
    Challenge.objects.bulk_create(
        [
            Challenge(
                purchase=purchase,
                program=program,
                customer_id=purchase.customer_id,
                status=ChallengeStatus.ACTIVE,
                terms={},
                snapshot_at=NOW,
                created_at=NOW,
                updated_at=NOW,
            )
            for purchase in purchases
        ]
    )
    with CaptureQueriesContext(
        connection,
    ) as queries:
        table = read_table(CHALLENGES, {"limit": 250, "offset": 0})
    assert (table["count"], len(table["rows"])) == (300, 250)
    assert len(queries) == 2
