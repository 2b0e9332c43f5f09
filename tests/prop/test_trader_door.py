"""The door `/prop/`: hosts, credentials, ownership, errors, limits, pages (prop-client 1)."""

import itertools
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.test import Client

from polysim.kernel.clock import utc_now
from prop.models import Payout, Purchase
from tenants.credentials import AccessClaims, sign_access_token
from tenants.models import StaffMembership, User
from tenants.passwords import password_mark
from tests.prop.catalogue import NOW, make_program
from tests.prop.trader import PropDoor, make_customer, make_payer
from tests.support.door import Bot, FirmServer
from tests.support.exchange import make_user

pytestmark = pytest.mark.django_db


class Shop:
    def __init__(self, schema: str = "alpha") -> None:
        self.customer = make_customer(schema)
        self.program = make_program()
        self.login = make_payer(self.customer, "250").pk
        self.door = PropDoor(self.customer, f"{schema}.localhost")


@pytest.fixture
def shop(in_alpha: Any) -> Shop:
    return Shop()


def token_headers(user: User, firm: str) -> dict[str, str]:
    claims = AccessClaims(user.pk, firm, password_mark(user))
    return {"Authorization": f"Bearer {sign_access_token(claims, now=utc_now())}"}


READS = ["programs", "challenges", "purchases", "payouts"]


@pytest.mark.parametrize("path", READS)
def test_addresses_take_a_trailing_slash(shop: Shop, path: str) -> None:
    plain, slashed = shop.door.get(path), shop.door.get(f"{path}/")

    assert plain.status_code == slashed.status_code == 200
    assert plain.json() == slashed.json()


def test_the_platforms_host_needs_the_tenant(shop: Shop) -> None:
    platform = PropDoor(shop.customer, "localhost")
    assert platform.get("programs").status_code == 400
    assert platform.get("programs").json()["error"] == "TENANT_REQUIRED"
    for slug in ("nobody", "retail", "ALPHA"):
        unknown = PropDoor(shop.customer, "localhost", f"tenant={slug}")
        assert unknown.get("programs").status_code == 404
        assert unknown.get("programs").json()["error"] == "NOT_FOUND"


def test_the_platforms_host_leads_into_the_named_firm(shop: Shop) -> None:
    platform = PropDoor(shop.customer, "localhost", "tenant=alpha")

    rows = platform.get("programs").json()["rows"]
    bought = platform.buy(shop.program.pk, shop.login)

    assert [row["id"] for row in rows] == [shop.program.pk]
    assert bought.status_code == 200, bought.content
    assert bought.json()["purchase"]["status"] == 3
    purchases = platform.get("purchases?limit=5").json()["rows"]
    assert [row["id"] for row in purchases] == [bought.json()["purchase"]["id"]]


def test_a_firms_host_is_that_firm_whatever_the_query_says(shop: Shop) -> None:
    rows = PropDoor(shop.customer, query="tenant=beta").get("programs").json()["rows"]

    assert [row["id"] for row in rows] == [shop.program.pk]


def test_nobody_is_401(shop: Shop) -> None:
    answer = PropDoor(None).get("programs")

    assert answer.status_code == 401
    assert answer.json()["error"] == "UNAUTHORIZED"


HOSTS = [("alpha.localhost", ""), ("localhost", "tenant=alpha")]


@pytest.mark.parametrize("firm", ["alpha", "retail"])
@pytest.mark.parametrize(
    ("host", "query"), [("alpha.localhost", ""), ("localhost", "tenant=alpha")]
)
def test_the_platforms_token_and_the_firms_are_taken(
    shop: Shop, firm: str, host: str, query: str
) -> None:
    door = PropDoor(None, host, query)

    answer = door.post(
        "challenge/buy",
        {"program_id": shop.program.pk, "payer_login": shop.login},
        csrf="",
        **token_headers(shop.customer, firm),
    )

    assert answer.status_code == 200, answer.content


def test_other_tokens_are_401(shop: Shop) -> None:
    door = PropDoor(None)
    old = token_headers(shop.customer, "alpha")
    shop.customer.password = make_password("changed")
    shop.customer.save()

    for headers in (token_headers(shop.customer, "beta"), old, {"Authorization": "Bearer x"}):
        answer = door.get("programs", **headers)
        assert answer.status_code == 401
        assert answer.json()["error"] == "UNAUTHORIZED"


def test_staff_strangers_keys_and_partners_are_403(shop: Shop, alpha: Any) -> None:
    staff = make_user()
    StaffMembership.objects.create(user=staff, firm=alpha, role="manager")
    bot = Bot()
    server = FirmServer(alpha)

    answers = [
        PropDoor(staff).get("programs"),
        PropDoor(None).get("programs", **token_headers(staff, "alpha")),
        PropDoor(make_user()).get("programs"),
        PropDoor(None).get("programs", **bot.headers),
        PropDoor(None, "localhost", "tenant=alpha").get("programs", **bot.headers),
        PropDoor(None).get("programs", Authorization=f"Bearer {server.raw_key}"),
        PropDoor(None).get("programs", **{"X-API-Key": server.raw_key}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 7
    assert {answer.json()["error"] for answer in answers} == {"FORBIDDEN"}


def test_staff_who_are_registered_as_traders_stay_staff(shop: Shop, alpha: Any) -> None:
    StaffMembership.objects.create(user=shop.customer, firm=alpha, role="dealer")

    assert shop.door.get("programs").status_code == 403


@pytest.mark.parametrize(
    "path",
    ["challenge/preview", "challenge/buy", "purchases/1/retry", "purchases/1/cancel"],
)
def test_a_browsers_post_needs_the_csrf_token(shop: Shop, path: str) -> None:
    body = {"program_id": shop.program.pk, "payer_login": shop.login}

    for csrf in ("", "d" * 32):
        answer = shop.door.post(path, body, csrf=csrf)
        assert answer.status_code == 403
        assert answer.json()["error"] == "FORBIDDEN"
    assert not Purchase.objects.exists()


def test_another_customers_id_answers_like_an_unknown_one(shop: Shop) -> None:
    bought = shop.door.buy(shop.program.pk, shop.login).json()
    stranger = PropDoor(make_customer())

    for own, unknown, method in (
        (f"purchases/{bought['purchase']['id']}", "purchases/99999", "get"),
        (f"purchases/{bought['purchase']['id']}/retry", "purchases/99999/retry", "post"),
        (f"purchases/{bought['purchase']['id']}/cancel", "purchases/99999/cancel", "post"),
        (f"challenges/{bought['challenge']['id']}", "challenges/99999", "get"),
        (f"challenges/{bought['challenge']['id']}/metrics", "challenges/99999/metrics", "get"),
        (f"challenges/{bought['challenge']['id']}/breaches", "challenges/99999/breaches", "get"),
    ):
        answers = [getattr(stranger, method)(path) for path in (own, unknown)]
        bodies = [{**answer.json(), "request_id": ""} for answer in answers]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert bodies[0] == bodies[1]
        assert bodies[0]["error"] == "NOT_FOUND"
    for path in ("purchases", "challenges", "payouts"):
        assert str(bought["purchase"]["id"]) not in str(stranger.get(path).json().get("rows", []))


def test_another_firms_ids_are_unknown(shop: Shop, in_building: Any) -> None:
    bought = shop.door.buy(shop.program.pk, shop.login).json()
    with in_building("beta"):
        make_customer("beta", shop.customer)
    elsewhere = PropDoor(shop.customer, "beta.localhost")

    assert elsewhere.get(f"purchases/{bought['purchase']['id']}").status_code == 404
    assert elsewhere.get(f"challenges/{bought['challenge']['id']}").status_code == 404
    assert elsewhere.get(f"programs/{shop.program.pk}").json()["error"] == "PROGRAM_NOT_FOUND"
    assert elsewhere.get("challenges").json() == {
        "purchases": [],
        "challenges": [],
        "purchases_count": 0,
        "challenges_count": 0,
    }


def test_a_customer_id_in_the_request_is_ignored(shop: Shop) -> None:
    other = make_customer()

    answer = shop.door.post(
        "challenge/buy",
        {"program_id": shop.program.pk, "payer_login": shop.login, "customer_id": other.pk},
    )

    assert answer.json()["purchase"]["customer_id"] == shop.customer.pk


def test_unknown_addresses_and_methods_answer_in_json(shop: Shop) -> None:
    unknown = shop.door.get("nothing")
    assert unknown.status_code == 404
    assert unknown.json()["error"] == "NOT_FOUND"
    wrong = shop.door.post("programs")
    assert wrong.status_code == 405
    assert wrong.json()["error"] == "METHOD_NOT_ALLOWED"
    assert shop.door.get("challenge/buy").status_code == 405
    text = Client(enforce_csrf_checks=True)
    text.force_login(shop.customer)
    text.cookies["csrftoken"] = "c" * 32
    answer = text.post(
        "/prop/challenge/buy",
        data="program_id=1",
        content_type="application/x-www-form-urlencoded",
        headers={"host": "alpha.localhost", "X-CSRFToken": "c" * 32},
    )
    assert answer.status_code == 415
    assert answer.json()["error"] == "UNSUPPORTED_MEDIA_TYPE"
    for answer in (unknown, wrong):
        assert answer.json()["message"]
        assert answer.json()["request_id"] == answer["X-Request-Id"]
        assert answer["X-Polysim-Code"] == answer.json()["error"]


def test_an_id_beyond_all_numbers_is_unknown(shop: Shop) -> None:
    assert shop.door.get(f"challenges/{10**40}").status_code == 404
    assert shop.door.get(f"purchases/{2**63}").status_code == 404


def test_a_defect_is_told_without_its_cause(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(**_: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("prop.api.client.list_shop_programs", break_down)

    answer = shop.door.get("programs")

    assert answer.status_code == 500
    assert answer.json()["error"] == "TECH_PROBLEM"
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize(("calls", "limit"), [("actions", 20), ("reads", 120)])
def test_calls_are_limited_a_minute_and_customer(shop: Shop, calls: str, limit: int) -> None:
    paths = itertools.cycle(
        ["challenge/preview", "purchases/5/retry", "purchases/5/cancel", "challenge/buy"]
    )

    def call() -> Any:
        if calls == "reads":
            return shop.door.get("payouts")
        return shop.door.post(next(paths), {"program_id": 99_999, "payer_login": shop.login})

    # Twice the limit and one more: too many also when the clock's minute turns in between.
    answers = [call() for _ in range(2 * limit + 1)]

    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(answer.status_code != 429 for answer in answers[:limit])
    assert refused
    assert refused[0].json()["error"] == "TOO_FREQUENT"
    assert 1 <= int(refused[0]["Retry-After"]) <= 60
    assert PropDoor(make_customer()).get("payouts").status_code == 200


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=", "offset=-1", "offset=1.5", "limit=%D9%A1"],
)
@pytest.mark.parametrize("path", ["purchases", "challenges", "payouts"])
def test_pages_out_of_range_are_400(shop: Shop, path: str, query: str) -> None:
    answer = shop.door.get(f"{path}?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"] == "INVALID_DATA"


@pytest.mark.parametrize("path", ["programs?brand=%00", "programs?tenant=%00"])
def test_a_null_character_in_the_query_is_400(shop: Shop, path: str) -> None:
    shop.door.host = "localhost" if "tenant" in path else shop.door.host

    answer = shop.door.get(path)

    assert answer.status_code == 400
    assert answer.json()["error"] == answer["X-Polysim-Code"] == "INVALID_DATA"


def test_lists_are_newest_first_with_the_number_of_all(shop: Shop) -> None:
    ids = [shop.door.buy(shop.program.pk, shop.login).json()["purchase"]["id"] for _ in range(2)]
    Purchase.objects.filter(pk=ids[0]).update(status=4)

    page = shop.door.get("purchases?limit=1&offset=1").json()
    assert [row["id"] for row in page["rows"]] == ids[:1]
    assert page["count"] == 2
    failed = shop.door.get("purchases?status=4").json()
    assert [row["id"] for row in failed["rows"]] == ids[:1]
    assert failed["count"] == 1
    both = shop.door.get("challenges?limit=1").json()
    assert [row["id"] for row in both["purchases"]] == [ids[1]]
    assert [row["purchase_id"] for row in both["challenges"]] == [ids[1]]
    assert (both["purchases_count"], both["challenges_count"]) == (2, 2)
    ended = shop.door.get("challenges?status=3").json()
    assert len(ended["purchases"]) == 2
    assert ended["challenges"] == []
    assert ended["challenges_count"] == 0
    assert shop.door.get("challenges?status=9").status_code == 400


def test_own_payouts_with_the_contracts_fields(shop: Shop) -> None:
    bought = shop.door.buy(shop.program.pk, shop.login).json()
    for customer in (shop.customer, make_customer()):
        Payout.objects.create(
            challenge_id=bought["challenge"]["id"] if customer == shop.customer else None,
            customer=customer,
            payer_login=shop.login,
            funded_login=5,
            profit="4321.57",
            profit_split="0.8",
            amount="3457.25",
            firm_amount="864.32",
            currency="USD",
            status=2,
            paid_at=NOW,
            created_at=NOW,
            updated_at=NOW,
        )

    body = shop.door.get("payouts").json()

    assert body["count"] == 1
    row = body["rows"][0]
    assert row == {
        "id": row["id"],
        "challenge_id": bought["challenge"]["id"],
        "payer_login": shop.login,
        "profit": 4321.57,
        "profit_split": 0.8,
        "amount": 3457.25,
        "currency": "USD",
        "status": 2,
        "status_name": "paid",
        "reason": "",
        "paid_time": int(NOW.timestamp()),
        "created_time": int(NOW.timestamp()),
    }
