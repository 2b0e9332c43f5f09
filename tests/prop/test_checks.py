"""The checks of prop-client 3, each as preview, buy and the list of payer accounts tell it."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from prop.models import AccountGroup, AccountMode, Program, Purchase
from prop.services.checks import FirstGroup, Payer, check_account, check_terms
from tests.prop.catalogue import NOW, make_group, make_program
from tests.prop.trader import PropDoor, make_customer, make_payer, make_payer_group
from tests.support.exchange import make_firm_trader
from wallets.models import LedgerTransaction, Wallet
from wallets.services import set_trading_enabled

pytestmark = pytest.mark.django_db


class Shop:
    """Alpha with a program of 99 dollars, a customer and a payer account with 250."""

    def __init__(self) -> None:
        self.customer = make_customer()
        self.program = make_program()
        self.payer = make_payer(self.customer, "250")
        self.door = PropDoor(self.customer)
        self.login = self.payer.pk

    def preview(self) -> dict[str, Any]:
        answer = self.door.post(
            "challenge/preview", {"program_id": self.program.pk, "payer_login": self.login}
        )
        assert answer.status_code == 200, answer.content
        body: dict[str, Any] = answer.json()
        return body

    def rows(self) -> dict[int, dict[str, Any]]:
        answer = self.door.get(f"programs/{self.program.pk}/payer-accounts")
        assert answer.status_code == 200, answer.content
        return {row["login"]: row for row in answer.json()["rows"]}


@pytest.fixture
def shop(in_alpha: Any) -> Shop:
    return Shop()


def disable_program(shop: Shop) -> None:
    Program.objects.update(status=1)


def archive_program(shop: Shop) -> None:
    Program.objects.update(status=2)


def name_a_strangers_account(shop: Shop) -> None:
    shop.login = make_payer(make_customer(), "250").pk


def name_an_unknown_account(shop: Shop) -> None:
    shop.login = 987_654_321


def name_a_phase_account(shop: Shop) -> None:
    bought = shop.door.buy(shop.program.pk, shop.login).json()
    shop.login = bought["purchase"]["account_login"]


def make_the_payer_read_only(shop: Shop) -> None:
    set_trading_enabled(wallet_id=shop.login, is_enabled=False, now=NOW)


def freeze_the_payer(shop: Shop) -> None:
    Wallet.objects.filter(pk=shop.login).update(status=Wallet.Status.FROZEN)


def disable_the_payers_group(shop: Shop) -> None:
    AccountGroup.objects.filter(group="PAYERS").update(enable=False)


def name_an_account_without_a_group(shop: Shop) -> None:
    shop.login = make_firm_trader(user=shop.customer, cash="500").wallet.pk


def make_the_payers_group_demo(shop: Shop) -> None:
    AccountGroup.objects.filter(group="PAYERS").update(account_mode=AccountMode.DEMO)


def give_the_payers_group_another_currency(shop: Shop) -> None:
    AccountGroup.objects.filter(group="PAYERS").update(currency="EUR")


def raise_the_price(shop: Shop) -> None:
    Program.objects.update(price=Decimal("250.01"))


def remove_the_steps(shop: Shop) -> None:
    shop.program.steps.all().delete()


def disable_the_first_group(shop: Shop) -> None:
    AccountGroup.objects.filter(group="EVAL_USD").update(enable=False)


def make_the_first_group_real(shop: Shop) -> None:
    AccountGroup.objects.filter(group="EVAL_USD").update(account_mode=AccountMode.REAL)


CHECKS: list[tuple[Callable[[Shop], None], str, int]] = [
    (disable_program, "PROGRAM_DISABLED", 400),
    (archive_program, "PROGRAM_DISABLED", 400),
    (name_a_strangers_account, "INVALID_PAYER_ACCOUNT", 403),
    (name_an_unknown_account, "INVALID_PAYER_ACCOUNT", 403),
    (name_a_phase_account, "INVALID_PAYER_ACCOUNT", 403),
    (make_the_payer_read_only, "PAYER_ACCOUNT_DISABLED", 403),
    (freeze_the_payer, "PAYER_ACCOUNT_DISABLED", 403),
    (disable_the_payers_group, "PAYER_GROUP_NOT_FOUND", 400),
    (name_an_account_without_a_group, "PAYER_GROUP_NOT_FOUND", 400),
    (make_the_payers_group_demo, "PAYER_ACCOUNT_NOT_REAL", 400),
    (give_the_payers_group_another_currency, "CURRENCY_CONVERSION_REQUIRED", 400),
    (raise_the_price, "NOT_ENOUGH_FUNDS", 400),
    (remove_the_steps, "PROGRAM_HAS_NO_STEPS", 400),
    (disable_the_first_group, "ACCOUNT_GROUP_NOT_FOUND", 400),
    (make_the_first_group_real, "ACCOUNT_GROUP_NOT_DEMO", 400),
]


@pytest.mark.parametrize(("change", "code", "status"), CHECKS)
def test_a_failing_check_refuses_the_purchase_and_writes_nothing(
    shop: Shop, change: Callable[[Shop], None], code: str, status: int
) -> None:
    change(shop)
    purchases = Purchase.objects.count()
    movements = LedgerTransaction.objects.count()

    preview = shop.preview()
    answer = shop.door.buy(shop.program.pk, shop.login, "key-1")

    assert preview["can_buy"] is False
    assert preview["reason"] == code
    assert preview["message"] == preview["block_reason_message"]
    assert answer.status_code == status
    assert answer.json()["error"] == code
    assert answer.json()["message"]
    assert answer.json()["request_id"]
    assert Purchase.objects.count() == purchases
    assert LedgerTransaction.objects.count() == movements


ACCOUNT_CODES = {"PAYER_ACCOUNT_DISABLED", "PAYER_GROUP_NOT_FOUND", "PAYER_ACCOUNT_NOT_REAL"}
ACCOUNT_CODES |= {"CURRENCY_CONVERSION_REQUIRED", "NOT_ENOUGH_FUNDS", "PROGRAM_DISABLED"}


@pytest.mark.parametrize(
    ("change", "code"), [(change, code) for change, code, _ in CHECKS if code in ACCOUNT_CODES]
)
def test_the_list_of_payer_accounts_names_the_same_reason(
    shop: Shop, change: Callable[[Shop], None], code: str
) -> None:
    change(shop)

    row = shop.rows()[shop.login]

    assert row["eligible"] is False
    assert row["block_reason"] == code
    assert row["block_reason_message"]


def test_an_eligible_account_has_no_reason(shop: Shop) -> None:
    assert shop.rows() == {
        shop.login: {
            "login": shop.login,
            "currency": "USD",
            "balance": 250.0,
            "eligible": True,
            "block_reason": None,
            "block_reason_message": None,
        }
    }


def test_payer_accounts_stand_by_login_without_phase_and_strangers_accounts(shop: Shop) -> None:
    shop.door.buy(shop.program.pk, shop.login)
    second = make_payer(shop.customer, "90", group=make_payer_group("PAYERS_EUR", currency="EUR"))
    make_payer(make_customer(), "500")

    answer = shop.door.get(f"programs/{shop.program.pk}/payer-accounts").json()["rows"]

    assert [row["login"] for row in answer] == [shop.login, second.pk]
    assert answer[1]["block_reason"] == "CURRENCY_CONVERSION_REQUIRED"
    assert (
        answer[1]["block_reason_message"] == "Program and payer account must use the same currency"
    )


@pytest.mark.parametrize(("price", "can_buy"), [("249.99", True), ("250", True), ("250.01", False)])
def test_a_balance_equal_to_the_price_passes(shop: Shop, price: str, can_buy: bool) -> None:
    Program.objects.update(price=Decimal(price))

    assert shop.preview()["can_buy"] is can_buy


def test_a_price_of_nothing_passes_with_an_empty_account(shop: Shop) -> None:
    Program.objects.update(price=0)
    poor = make_payer(shop.customer, "0")

    answer = shop.door.buy(shop.program.pk, poor.pk)

    assert answer.json()["purchase"]["status"] == 3


def test_the_preview_of_a_possible_purchase(shop: Shop) -> None:
    assert shop.preview() == {
        "can_buy": True,
        "price": 99,
        "currency": "USD",
        "payer_balance": 250,
        "amount_account_currency": 99,
        "conversion_rate": 1,
        "warnings": [],
    }


def test_the_preview_warns(shop: Shop) -> None:
    shop.door.buy(shop.program.pk, shop.login)
    Program.objects.update(price=Decimal("151"))

    assert shop.preview()["warnings"] == ["ACTIVE_CHALLENGE_EXISTS", "BALANCE_ZERO_AFTER_PURCHASE"]


def test_too_little_money_is_told_in_numbers(shop: Shop) -> None:
    poor = make_payer(shop.customer, "41.50")
    shop.login = poor.pk

    assert shop.preview() == {
        "can_buy": False,
        "reason": "NOT_ENOUGH_FUNDS",
        "message": "Not enough funds",
        "required_amount": 99,
        "available_balance": 41.5,
        "block_reason_message": "Not enough funds",
    }


def test_a_strangers_balance_is_not_told(shop: Shop) -> None:
    name_a_strangers_account(shop)

    assert shop.preview()["available_balance"] is None


@pytest.mark.parametrize("path", ["challenge/preview", "challenge/buy"])
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"program_id", "payer_login"}),
        ({"program_id": 0, "payer_login": 5}, {"program_id"}),
        ({"program_id": -1, "payer_login": 5}, {"program_id"}),
        ({"program_id": "3", "payer_login": 5}, {"program_id"}),
        ({"program_id": 3.0, "payer_login": 5}, {"program_id"}),
        ({"program_id": True, "payer_login": 5}, {"program_id"}),
        ({"program_id": 3, "payer_login": None}, {"payer_login"}),
        ({"program_id": 3, "payer_login": 2**63}, {"payer_login"}),
    ],
)
def test_wrong_fields_are_named(shop: Shop, path: str, body: Any, fields: set[str]) -> None:
    answer = shop.door.post(path, body)

    assert answer.status_code == 400
    assert answer.json()["error"] == "INVALID_DATA"
    assert set(answer.json()["fields"]) == fields


@pytest.mark.parametrize("text", ["[]", "7", '"text"', "{", ""])
def test_a_body_must_be_a_json_object(shop: Shop, text: str) -> None:
    answer = shop.door.post("challenge/buy", text)

    assert answer.status_code == 400
    assert answer.json()["error"] == "INVALID_DATA"


def test_an_unknown_program_is_404_everywhere(shop: Shop) -> None:
    unknown = shop.program.pk + 1000
    body = {"program_id": unknown, "payer_login": shop.login}
    answers = [
        shop.door.get(f"programs/{unknown}"),
        shop.door.get(f"programs/{unknown}/payer-accounts"),
        shop.door.post("challenge/preview", body),
        shop.door.post("challenge/buy", body),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert {answer.json()["error"] for answer in answers} == {"PROGRAM_NOT_FOUND"}


def test_the_first_failing_check_is_reported(shop: Shop) -> None:
    make_the_payer_read_only(shop)
    raise_the_price(shop)
    remove_the_steps(shop)
    assert shop.preview()["reason"] == "PAYER_ACCOUNT_DISABLED"
    set_trading_enabled(wallet_id=shop.login, is_enabled=True, now=NOW)
    assert shop.preview()["reason"] == "NOT_ENOUGH_FUNDS"
    Program.objects.update(price=1)
    assert shop.preview()["reason"] == "PROGRAM_HAS_NO_STEPS"


def test_a_balance_that_cannot_be_read_comes_before_funds() -> None:
    payer = Payer(
        login=1,
        currency="USD",
        is_enabled=True,
        is_group_enabled=True,
        is_real=True,
        balance=None,
    )
    assert check_account(payer, price=Decimal(5), currency="USD") == "PAYER_BALANCE_UNAVAILABLE"
    assert check_account(payer, price=Decimal(0), currency="USD") is None


def test_checks_of_the_first_step() -> None:
    assert check_terms({"steps": []}, None) == "PROGRAM_HAS_NO_STEPS"
    assert check_terms({"steps": [{}]}, None) == "ACCOUNT_GROUP_NOT_FOUND"
    assert check_terms({"steps": [{}]}, FirstGroup(False, True)) == "ACCOUNT_GROUP_NOT_FOUND"
    assert check_terms({"steps": [{}]}, FirstGroup(True, False)) == "ACCOUNT_GROUP_NOT_DEMO"
    assert check_terms({"steps": [{}]}, FirstGroup(True, True)) is None


def test_the_shop_shows_active_programs_by_sort_index(shop: Shop) -> None:
    first = make_program(sort_index=1, brand="other")
    make_program(status=1)
    make_program(status=2)

    rows = shop.door.get("programs").json()["rows"]
    branded = shop.door.get("programs?brand=other").json()["rows"]

    assert [row["id"] for row in rows] == [first.pk, shop.program.pk]
    assert [row["id"] for row in branded] == [first.pk]
    assert rows[1]["price_label"] == "USD 99.00"
    assert rows[1]["steps"][0]["initial_balance"] == 10000
    assert rows[1]["profit_split"] == 0.75
    assert {"timezone", "trading_days_mode", "display_name", "short_description"} <= set(rows[0])


def test_a_disabled_program_is_seen_by_who_bought_it(shop: Shop) -> None:
    shop.door.buy(shop.program.pk, shop.login)
    stranger = PropDoor(make_customer())
    disable_program(shop)

    assert shop.door.get(f"programs/{shop.program.pk}").status_code == 200
    assert stranger.get(f"programs/{shop.program.pk}").json()["error"] == "PROGRAM_NOT_FOUND"


def test_the_group_of_another_building_is_unknown(shop: Shop, in_building: Any) -> None:
    with in_building("beta"):
        make_group()
    AccountGroup.objects.filter(group="EVAL_USD").update(enable=False)

    assert shop.preview()["reason"] == "ACCOUNT_GROUP_NOT_FOUND"
