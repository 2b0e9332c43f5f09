"""The demo's past: challenges that lived through some days by the real services."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import settings as django_settings

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from prop.demo.firms import seed_firm
from prop.demo.history import NoPastYet, seed_challenge_history
from prop.models import Challenge, DailySnapshot, MetricSnapshot, RuleBreach, Verdict
from prop.services.evidence import contradictions, hash_of_inputs, read_inputs
from tenants.models import Firm
from tests.support.exchange import make_market
from trading.markets.models import Market, MarketStats, MinuteCandle
from wallets.selectors import check_conservation

pytestmark = pytest.mark.django_db


def make_past(number: int, closes: list[str]) -> Market:
    """A market with hourly closes over the last days, the last one now."""
    market = make_market()
    MarketStats.objects.create(market=market, volume_24h=Decimal(1000 - number))
    first = market.outcomes.get(index=0)
    now = utc_now().replace(minute=0, second=0, microsecond=0)
    for index, close in enumerate(reversed(closes)):
        value = Decimal(close)
        MinuteCandle.objects.create(
            outcome=first,
            minute_at=now - timedelta(hours=index),
            open=value,
            high=value,
            low=value,
            close=value,
        )
    return market


@pytest.fixture
def alpha_seeded(alpha: Firm, monkeypatch: pytest.MonkeyPatch) -> Firm:
    monkeypatch.setattr(django_settings, "REDIS_KEY_PREFIX", "polysim-test-past")
    seed_firm(alpha, {}, utc_now())
    return alpha


def test_without_prices_of_the_past_nothing_is_made(alpha_seeded: Firm) -> None:
    with pytest.raises(NoPastYet):
        seed_challenge_history(firm=alpha_seeded, now=utc_now())


def test_the_past_has_passed_failed_and_running_challenges_and_sound_books(
    alpha_seeded: Firm,
) -> None:
    hours = 24 * 7
    rising = [f"{0.30 + 0.5 * index / hours:.3f}" for index in range(hours)]
    falling = [f"{0.80 - 0.5 * index / hours:.3f}" for index in range(hours)]
    flat = [f"{0.50 + 0.01 * (index % 3):.3f}" for index in range(hours)]
    for number, closes in enumerate((rising, falling, flat, flat, rising)):
        make_past(number, closes)
    made = seed_challenge_history(firm=alpha_seeded, now=utc_now())
    assert made >= 5
    assert seed_challenge_history(firm=alpha_seeded, now=utc_now()) == 0
    with enter_building("alpha"):
        statuses = set(Challenge.objects.values_list("status", flat=True))
        assert {1, 3, 4} <= statuses
        assert DailySnapshot.objects.count() > 10
        assert MetricSnapshot.objects.count() > 100
        assert RuleBreach.objects.filter(is_primary=True).exists()
        for verdict in Verdict.objects.all():
            assert verdict.inputs_hash == hash_of_inputs(verdict.inputs)
            assert list(contradictions(read_inputs(verdict.inputs))) == []
        assert check_conservation().is_sound
