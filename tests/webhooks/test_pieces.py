"""The parts of a delivery that need no database (partner-api B3)."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from tenants.office.webhooks.addresses import AddressRefused, check_url, is_allowed, resolve
from tenants.office.webhooks.bodies import BODY_BYTES_MAX, render_body
from tenants.office.webhooks.schedule import PAUSES, next_pause, parse_retry_after
from tenants.office.webhooks.signing import make_secret, sign_attempt
from tests.support.exchange import NOW

ACCOUNT_ID = "0d6f3a52-8f0e-4c1b-9b0a-3f1c5be7a910"


def test_the_contracts_vector_is_signed_as_the_contract_says() -> None:
    at = datetime.fromtimestamp(1790000000, UTC)
    body = render_body(
        type="account.reset", occurred_at=at, data={"account_id": ACCOUNT_ID, "attempt": 2}
    )
    assert body == (
        '{"type":"account.reset","timestamp":"2026-09-21T14:13:20.000000Z","data":'
        '{"account_id":"0d6f3a52-8f0e-4c1b-9b0a-3f1c5be7a910","attempt":2}}'
    )
    headers = sign_attempt(
        message_id="msg_7Qx2mZ0kT4",
        body=body,
        sent_at=at,
        secrets_in_force=["whsec_AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA="],
    )
    assert headers == {
        "webhook-id": "msg_7Qx2mZ0kT4",
        "webhook-timestamp": "1790000000",
        "webhook-signature": "v1,gpJipha7snOe9P7FWKvHl6QnpdtW1FXzolFYpw+cglU=",
    }


def test_a_secret_is_32_random_bytes_and_no_two_are_equal() -> None:
    secret = make_secret()
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret != make_secret()


def test_two_secrets_sign_with_two_signatures_and_each_verifies() -> None:
    former, present = make_secret(), make_secret()
    headers = sign_attempt(
        message_id="msg_1",
        body="{}",
        sent_at=datetime.now(UTC),
        secrets_in_force=[present, former],
    )
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert Webhook(former).verify("{}", headers) == {}
    assert Webhook(present).verify("{}", headers) == {}


def test_a_body_over_20_kb_leaves_out_metadata_first_and_says_so() -> None:
    data = {"account_id": ACCOUNT_ID, "metadata": {"a": "x" * 15_000}, "rules": {"b": "y" * 15_000}}
    body = render_body(type="account.created", occurred_at=NOW, data=data)
    assert len(body.encode()) <= BODY_BYTES_MAX
    kept = json.loads(body)["data"]
    assert kept["account_id"] == ACCOUNT_ID
    assert kept["omitted"] == ["metadata"]
    assert "rules" in kept


def test_the_pauses_add_up_to_75_hours_35_minutes_and_5_seconds() -> None:
    assert sum(PAUSES, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)


@pytest.mark.parametrize(
    ("attempts", "spread", "seconds"),
    [(1, 0, 5), (1, 1, 5.5), (1, -1, 4.5), (2, 0, 300), (9, 0, 86_400)],
)
def test_the_next_pause_follows_the_schedule_within_a_tenth(
    attempts: int, spread: float, seconds: float
) -> None:
    pause = next_pause(attempts=attempts, spread=spread)
    assert pause == timedelta(seconds=seconds)


def test_after_ten_attempts_there_is_no_next_one() -> None:
    assert next_pause(attempts=10, spread=0) is None


def test_retry_after_counts_only_when_it_is_longer() -> None:
    minute = timedelta(minutes=1)
    assert next_pause(attempts=1, spread=0, retry_after=minute) == minute
    assert next_pause(attempts=2, spread=0, retry_after=minute) == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("120", timedelta(minutes=2)),
        ("soon", None),
        ("-5", None),
        ("Tue, 05 Jan 2027 10:02:02 GMT", timedelta(minutes=2)),
        ("Tue, 05 Jan 2027 09:00:00 GMT", timedelta(0)),
        ("999999999", timedelta(hours=24)),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    text: str | None, expected: timedelta | None
) -> None:
    assert parse_retry_after(text, now=NOW) == expected


@pytest.mark.parametrize(
    ("address", "is_good"),
    [
        ("93.184.216.34", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("127.8.9.10", False),
        ("10.0.0.1", False),
        ("172.16.0.1", False),
        ("172.32.0.1", True),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("168.63.129.16", False),
        ("100.64.0.1", False),
        ("100.100.100.200", False),
        ("192.0.0.192", False),
        ("198.18.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("2001:0:0:1::", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("fec0::1", False),
        ("ff02::1", False),
        ("::7f00:1", False),
    ],
)
def test_only_public_addresses_are_sent_to(address: str, is_good: bool) -> None:
    assert is_allowed(address) is is_good


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://user:secret@example.com/",
        "https:///nothing",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com/#part",
        "https://exa mple.com/",
        "https://example.com\\@127.0.0.1/",
        "https://example.com/" + "a" * 2048,
        "javascript:alert(1)",
        "",
    ],
)
def test_other_urls_than_plain_https_are_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "0"])
def test_every_way_to_write_this_machine_is_refused(host: str) -> None:
    with pytest.raises(AddressRefused):
        resolve(*check_url(f"https://{host}/"))


def test_an_unknown_name_and_an_inner_address_are_refused_alike() -> None:
    sentences = set()
    for host in ("10.0.0.1", "no-such-name.invalid"):
        with pytest.raises(AddressRefused) as refused:
            resolve(*check_url(f"https://{host}/"))
        sentences.add(str(refused.value))
    assert sentences == {"does not lead to a public address"}


def test_http_to_this_machine_is_allowed_for_tests_but_http_to_others_is_not(settings) -> None:  # type: ignore[no-untyped-def]
    settings.WEBHOOK_ALLOW_PRIVATE = True
    assert resolve(*check_url("http://127.0.0.1:9/")) == ["127.0.0.1"]
    with pytest.raises(AddressRefused):
        resolve(*check_url("http://93.184.216.34/"))
    with pytest.raises(AddressRefused):
        resolve(*check_url("https://10.0.0.1/"))


def test_production_never_sends_to_this_machine_and_refuses_the_setting(settings) -> None:  # type: ignore[no-untyped-def]
    from tenants.office.checks import check_private_receivers

    settings.WEBHOOK_ALLOW_PRIVATE = True
    assert check_private_receivers() == []
    settings.IS_PRODUCTION = True
    assert [error.id for error in check_private_receivers()] == ["office.E001"]
    with pytest.raises(AddressRefused):
        check_url("http://127.0.0.1:9/")
