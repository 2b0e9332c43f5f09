"""Two fixed windows, counted exactly (accounts-api 2.3)."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import Client, RequestFactory

from polysim.kernel import ratelimits
from polysim.kernel.ratelimits import address_meter_name, client_address, count_request

SECOND_MS = 1_799_143_200_000  # 2027-01-05T10:00:00Z, the start of a minute


def count(now_ms: int, *, per_second: int = 2, per_minute: int = 5) -> Any:
    return count_request(
        "key:1", tier="free", per_second=per_second, per_minute=per_minute, now_ms=now_ms
    )


def test_the_per_second_window_refuses_and_opens_again() -> None:
    assert [count(SECOND_MS + step).is_allowed for step in (0, 300, 600)] == [True, True, False]
    assert count(SECOND_MS + 1000).is_allowed


def test_a_refused_request_is_not_counted() -> None:
    for step in range(10):
        count(SECOND_MS + step)
    assert count(SECOND_MS + 1000).remaining_in_minute == 2


def test_the_per_minute_window_says_when_it_rolls_over() -> None:
    for second in range(5):
        assert count(SECOND_MS + 1000 * second).is_allowed
    refused = count(SECOND_MS + 10_500)
    assert (refused.is_allowed, refused.full_window, refused.retry_after_s) == (False, "minute", 50)
    assert refused.reset_at_s == SECOND_MS // 1000 + 60
    assert count(SECOND_MS + 60_000).is_allowed


def test_a_full_second_is_over_after_one() -> None:
    count(SECOND_MS)
    count(SECOND_MS)
    assert count(SECOND_MS).retry_after_s == 1


def test_both_header_families_carry_the_same_values() -> None:
    headers = count(SECOND_MS).headers()
    assert headers["X-RateLimit-Tier"] == "free"
    assert headers["X-RateLimit-Limit"] == "5"
    assert headers["X-RateLimit-Limit-Per-Second"] == "2"
    assert headers["X-RateLimit-Remaining"] == "4"
    assert headers["X-RateLimit-Remaining-Per-Second"] == "1"
    assert headers["X-RateLimit-Reset"] == str(SECOND_MS // 1000 + 60)
    for name, value in list(headers.items()):
        if name.startswith("X-RateLimit"):
            assert headers[name.replace("X-RateLimit", "X-Polysim-RateLimit")] == value


def test_of_400_calls_at_once_exactly_120_pass() -> None:
    with ThreadPoolExecutor(8) as pool:
        meters = list(
            pool.map(lambda _: count(SECOND_MS, per_second=120, per_minute=600), range(400))
        )
    assert sum(meter.is_allowed for meter in meters) == 120


def test_without_valkey_requests_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    import redis

    def refuse() -> Any:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(ratelimits, "get_redis", refuse)
    assert count(SECOND_MS) is None
    assert ratelimits.count_tries("x", limit=1, period_s=60) == 0
    ratelimits.raise_identity_version()


@pytest.mark.django_db
def test_an_answer_over_the_limit_is_429_and_tells_when_to_return(
    anyone: Client, retail: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimits, "ANONYMOUS_PER_MINUTE", 1)
    first = anyone.get("/v1/time")
    assert (first.status_code, first["X-RateLimit-Tier"]) == (200, "anonymous")
    refused = anyone.get("/v1/time")
    assert (refused.status_code, refused["X-Polysim-Code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert refused["X-Polysim-RateLimit-Remaining"] == "0"


@pytest.mark.django_db
def test_health_is_not_metered(anyone: Client, retail: Any) -> None:
    assert "X-RateLimit-Limit" not in anyone.get("/v1/health")


def test_the_address_is_the_peers_unless_our_proxies_report_it(settings: Any) -> None:
    request = RequestFactory().get(
        "/", REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR="6.6.6.6, 198.51.100.7, 10.0.0.2"
    )
    assert client_address(request) == "10.0.0.1"
    settings.TRUSTED_PROXIES = 2
    assert client_address(request) == "198.51.100.7"


def test_an_ipv6_network_counts_as_one_caller() -> None:
    assert address_meter_name("2001:db8:1:2::5") == address_meter_name("2001:db8:1:2:ffff::1")
    assert address_meter_name("2001:db8:1:2::5") != address_meter_name("2001:db8:1:3::5")
    assert address_meter_name("198.51.100.7") == "ip:198.51.100.7"
