"""`/v1/partner/webhooks` as a firm's server uses it (partner-api B3)."""

import threading
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from tenants.models import Firm
from tenants.models.partners import ACCOUNTS_READ, WEBHOOKS_WRITE
from tenants.office.models import FirmAuditEntry, WebhookDelivery, WebhookEndpoint
from tenants.office.services import write_event
from tenants.office.services.delivering import deliver_due
from tenants.office.services.dispatching import dispatch_events
from tests.support.door import FirmServer
from tests.webhooks.receiver import Receiver

pytestmark = pytest.mark.django_db

PUBLIC_URL = "https://93.184.216.34/hooks"


@pytest.fixture
def server(alpha: Firm) -> FirmServer:
    return FirmServer(alpha)


@pytest.fixture
def beta_server(beta: Firm) -> FirmServer:
    return FirmServer(beta)


def create(server: FirmServer, **fields: Any) -> Any:
    answer = server.post("webhooks", {"url": PUBLIC_URL, "event_types": ["*"], **fields})
    assert answer.status_code == 201, answer.content
    return answer.json()


def happen_and_work(*names: str) -> None:
    with enter_building("alpha"):
        for name in names:
            write_event(type=name, data={"account_id": "a"}, now=utc_now())
        dispatch_events(now=utc_now())
        deliver_due(now=utc_now())


def fields_of(answer: Any) -> set[str]:
    assert answer.status_code == 422
    return {entry["field"].split(".")[0] for entry in answer.json()["details"]["fields"]}


def test_a_new_endpoint_shows_its_secret_once_and_stores_it_sealed(server: FirmServer) -> None:
    made = create(server, description="books")
    assert made["secret"].startswith("whsec_")
    assert (made["url"], made["event_types"], made["enabled"]) == (PUBLIC_URL, ["*"], True)
    shown = server.get(f"webhooks/{made['id']}").json()
    assert "secret" not in shown
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    page = {"data": [shown], "next_cursor": None, "has_more": False}
    assert server.get("webhooks").json() == page
    with enter_building("alpha"):
        row = WebhookEndpoint.objects.get()
        entry = FirmAuditEntry.objects.get(action="webhook.created")
    assert made["secret"] not in row.secret_sealed
    assert made["secret"] not in str(entry.after)
    assert entry.actor_name == server.key_row.key_prefix


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": "http://93.184.216.34/"}, "url"),
        ({"url": "https://127.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest"}, "url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": 7}, "url"),
        ({"url": "https://93.184.216.34/\x00"}, "url"),
        ({"url": PUBLIC_URL, "event_types": []}, "event_types"),
        ({"url": PUBLIC_URL, "event_types": ["no.such"]}, "event_types"),
        ({"url": PUBLIC_URL, "event_types": "all"}, "event_types"),
        ({"url": PUBLIC_URL, "description": "x" * 256}, "description"),
        ({"url": PUBLIC_URL, "secret": "whsec_mine"}, "secret"),
    ],
)
def test_a_wrong_field_is_refused_by_name(server: FirmServer, body: Any, field: str) -> None:
    assert field in fields_of(server.post("webhooks", body))


def test_a_firm_has_at_most_ten_endpoints_and_a_deleted_one_makes_room(server: FirmServer) -> None:
    made = [create(server) for _ in range(10)]
    answer = server.post("webhooks", {"url": PUBLIC_URL})
    assert (answer.status_code, answer.json()["error"]) == (409, "WEBHOOK_LIMIT_REACHED")
    assert server.delete(f"webhooks/{made[0]['id']}").status_code == 204
    assert server.get(f"webhooks/{made[0]['id']}").status_code == 404
    create(server)


@pytest.mark.django_db(transaction=True)
def test_twelve_creations_at_once_make_ten_endpoints(alpha: Firm) -> None:
    server, statuses = FirmServer(alpha), []

    def create_one() -> None:
        try:
            statuses.append(server.post("webhooks", {"url": PUBLIC_URL}).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=create_one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] * 10 + [409] * 2


def test_a_change_is_shown_and_written_down(server: FirmServer) -> None:
    made = create(server)
    path = f"webhooks/{made['id']}"
    changed = server.patch(path, {"event_types": ["account.reset"], "enabled": False}).json()
    assert changed["event_types"] == ["account.reset"]
    assert (changed["enabled"], changed["disabled_reason"]) == (False, "switched_off")
    again = server.patch(path, {"enabled": True}).json()
    assert (again["enabled"], again["disabled_reason"], again["disabled_at"]) == (True, None, None)
    assert fields_of(server.patch(path, {})) == {"body"}
    assert fields_of(server.patch(path, {"url": "https://10.0.0.1/"})) == {"url"}
    with enter_building("alpha"):
        entry = FirmAuditEntry.objects.filter(action="webhook.updated").order_by("id").first()
    assert entry is not None
    assert (entry.before["is_enabled"], entry.after["is_enabled"]) == (True, False)


def test_rotating_shows_the_new_secret(server: FirmServer) -> None:
    made = create(server)
    rotated = server.post(f"webhooks/{made['id']}/rotate-secret").json()
    assert rotated["secret"] != made["secret"]
    assert rotated["former_secret_until"] is not None


def test_deliveries_are_listed_newest_first_by_filter_and_page(
    server: FirmServer, receiver: Receiver
) -> None:
    path = f"webhooks/{create(server, url=receiver.url)['id']}/deliveries"
    happen_and_work("account.created", "account.updated", "account.closed")
    receiver.always(500)
    happen_and_work("account.reset")
    everything = server.get(path).json()
    assert [row["type"] for row in everything["data"]] == [
        "account.reset",
        "account.closed",
        "account.updated",
        "account.created",
    ]
    assert (everything["has_more"], everything["next_cursor"]) == (False, None)
    waiting = server.get(f"{path}?status=pending").json()["data"]
    assert [(row["type"], row["last_status_code"]) for row in waiting] == [("account.reset", 500)]
    first = server.get(f"{path}?limit=3").json()
    rest = server.get(f"{path}?limit=3&cursor={first['next_cursor']}").json()
    assert [row["type"] for row in rest["data"]] == ["account.created"]
    wrong = server.get(f"{path}?limit=3&status=failed&cursor={first['next_cursor']}")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "INVALID_CURSOR")
    assert server.get(f"{path}?type=account.closed").json()["data"][0]["status"] == "succeeded"
    assert server.get(f"{path}?status=odd").status_code == 422
    assert server.get(f"{path}?since=2100-01-01T00:00:00Z").json()["data"] == []


def test_a_test_event_arrives(server: FirmServer, receiver: Receiver) -> None:
    made = create(server, url=receiver.url, event_types=["account.reset"])
    answer = server.post(f"webhooks/{made['id']}/test")
    assert (answer.status_code, answer.json()["type"]) == (202, "webhook.test")
    happen_and_work()
    assert receiver.ids == [answer.json()["message_id"]]


def test_one_and_many_deliveries_are_replayed(server: FirmServer, receiver: Receiver) -> None:
    path = f"webhooks/{create(server, url=receiver.url)['id']}"
    happen_and_work("account.created", "account.closed")
    (row, _) = server.get(f"{path}/deliveries").json()["data"]
    answer = server.post(f"{path}/deliveries/{row['id']}/replay")
    assert (answer.status_code, answer.json()["status"]) == (202, "pending")
    happen_and_work()
    assert receiver.ids.count(row["message_id"]) == 2
    since = {"since": "2020-01-01T00:00:00Z"}
    assert server.post(f"{path}/replay", since).json() == {"count": 0}
    everything = {**since, "types": ["account.created"], "only_failed": False}
    assert server.post(f"{path}/replay", everything).json() == {"count": 1}
    assert fields_of(server.post(f"{path}/replay", {})) == {"since"}


def test_an_endpoint_that_is_off_is_neither_tested_nor_replayed(server: FirmServer) -> None:
    path = f"webhooks/{create(server)['id']}"
    server.patch(path, {"enabled": False})
    answer = server.post(f"{path}/test")
    assert (answer.status_code, answer.json()["error"]) == (409, "WEBHOOK_DISABLED")


def test_every_method_needs_webhooks_write(alpha: Firm) -> None:
    reader = FirmServer(alpha, permissions=[ACCOUNTS_READ])
    answer = reader.get("webhooks")
    assert (answer.status_code, answer.json()["error"]) == (403, "INSUFFICIENT_PERMISSION")
    assert reader.post("webhooks", {"url": PUBLIC_URL}).status_code == 403
    assert FirmServer(alpha, permissions=[WEBHOOKS_WRITE]).get("webhooks").status_code == 200


CALLS = [
    ("GET", "webhooks/{id}", None),
    ("PATCH", "webhooks/{id}", {"description": "mine"}),
    ("DELETE", "webhooks/{id}", None),
    ("POST", "webhooks/{id}/test", {}),
    ("POST", "webhooks/{id}/rotate-secret", {}),
    ("GET", "webhooks/{id}/deliveries", None),
    ("POST", "webhooks/{id}/deliveries/{delivery}/replay", {}),
    ("POST", "webhooks/{id}/replay", {"since": "2020-01-01T00:00:00Z"}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_another_firms_endpoint_is_as_unknown_as_one_that_never_was(
    method: str,
    path: str,
    body: Any,
    server: FirmServer,
    beta_server: FirmServer,
    receiver: Receiver,
) -> None:
    made = create(server, url=receiver.url)
    happen_and_work("account.closed")
    with enter_building("alpha"):
        delivery = str(WebhookDelivery.objects.get().pk)
    foreign = path.format(id=made["id"], delivery=delivery)
    unknown = path.format(id=uuid4(), delivery=uuid4())
    malformed = path.format(id="1'--", delivery="x")
    answers = [beta_server.send(method, one, body) for one in (foreign, unknown, malformed)]
    bodies = [{**one.json(), "request_id": ""} for one in answers]
    assert [one.status_code for one in answers] == [404] * 3
    assert bodies[0] == bodies[1] == bodies[2]
    assert {one["X-Polysim-Code"] for one in answers} == {"NOT_FOUND"}
    with enter_building("alpha"):
        assert WebhookEndpoint.objects.get().deleted_at is None


def test_the_description_of_the_door_has_webhooks_and_test_clocks() -> None:
    document = Client().get("/v1/partner/schema/").json()
    webhook = document["paths"]["/v1/partner/webhooks/{webhook_id}"]
    assert set(webhook) == {"get", "patch", "delete"}
    assert webhook["get"]["parameters"][0]["schema"] == {"type": "string", "format": "uuid"}
    assert "put" in document["paths"]["/v1/partner/test-clocks/{clock_id}/prices"]
    secret = document["components"]["schemas"]["EndpointSecretAnswer"]["properties"]
    assert "secret" in secret
