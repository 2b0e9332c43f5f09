"""Passes of the evaluator: what changed, days, staleness, warnings, restarts, outages."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from polysim.kernel.tenancy import enter_building
from prop.evaluator.shard import Shard, shard_of
from prop.models import (
    ChallengePhase,
    DailySnapshot,
    MetricSnapshot,
    PropEvent,
    PropSettings,
    RuleBreach,
    Verdict,
)
from prop.rules.days import start_of_date
from prop.selectors.evaluator import find_evaluator_trouble, read_evaluator_health
from prop.services.challenge_control import cancel_challenge
from prop.services.replaying import replay_verdict
from prop.services.watching import watch_evaluator
from tests.evaluator import build
from tests.evaluator.build import NOW
from tests.evaluator.test_worked_examples import hold
from tests.support.exchange import make_user, set_book
from trading.markets.models import MarketResolution
from trading.services.settlement import settle_resolved_positions

pytestmark = pytest.mark.usefixtures("in_alpha")
FREE = {"name": "Free", "profit_target_pct": 0, "duration_days": 0}


@pytest.fixture
def shard():
    """An evaluator of alpha alone."""
    mine = Shard(0, list_firms=lambda: ["alpha"])
    yield mine
    mine.close()


def later(seconds):
    return NOW + timedelta(seconds=seconds)


# --- Changes ------------------------------------------------------------------------------------
def test_a_changed_pass_looks_only_at_what_changed(shard):
    first, second = build.start(), build.start()
    assert shard.evaluate_all(now=NOW).evaluated == 2
    shard.evaluate_changed(now=later(1))
    assert shard.evaluate_changed(now=later(2)).evaluated == 0
    build.set_cash(first.account_login, "9900")
    from trading.events import tell_evaluator

    tell_evaluator(schema="alpha", wallet_id=first.account_login)
    assert shard.evaluate_changed(now=later(3)).evaluated == 1
    assert build.phase_of(second).status == 1


def test_a_fill_is_told_and_judged_by_the_next_look(shard, django_capture_on_commit_callbacks):
    step = {**FREE, "duration_days": 30, "max_positions": 1}
    challenge = build.start(build.program(step))
    shard.evaluate_all(now=NOW)
    shard.evaluate_changed(now=NOW)
    with django_capture_on_commit_callbacks(execute=True):
        hold(challenge, 2)
    assert shard.evaluate_changed(now=later(1)).decided == 1
    assert RuleBreach.objects.get().rule == "max_positions"


def test_a_tick_is_judged_by_the_next_look(shard):
    step = {**FREE, "duration_days": 30, "max_total_loss_pct": Decimal("0.01")}
    challenge = build.start(build.program(step))
    (market,) = hold(challenge, 1)
    shard.evaluate_all(now=NOW)
    shard.evaluate_changed(now=NOW)
    # Ten shares bought at 0.50, worth 0.49: a loss of ten cents. At 0.40 it is a dollar: 0.01 %.
    set_book(market, bids=[("0.40", 10)], asks=[("0.42", 10)], now=later(1))
    assert shard.evaluate_changed(now=later(1)).decided == 0
    set_book(market, bids=[("0.39", 10)], asks=[("0.41", 10)], now=later(2))
    assert shard.evaluate_changed(now=later(2)).decided == 1
    verdict = Verdict.objects.get()
    assert verdict.inputs["positions"] == [
        {
            "condition_id": market.condition_id,
            "outcome_index": 0,
            "quantity": 10_000_000,
            "cost": 5_000_000,
            "mark": 400_000,
            "marked_at": int(later(2).timestamp()),
        }
    ]
    replay = replay_verdict(verdict_id=verdict.pk)
    assert replay.agrees, replay.differences


def test_what_was_not_told_is_found_by_the_full_pass(shard, redis_client):
    challenge = build.start()
    shard.evaluate_all(now=NOW)
    build.set_cash(challenge.account_login, "9000", now=later(3))
    redis_client.flushall()
    assert shard.evaluate_changed(now=later(4)).decided == 0
    assert shard.evaluate_all(now=later(5)).decided == 1


def test_phases_that_begin_and_end_elsewhere_come_and_go(shard):
    first = build.start()
    assert shard.evaluate_all(now=NOW).evaluated == 1
    second = build.start(now=later(1))
    assert shard.evaluate_all(now=later(5)).evaluated == 2
    cancel_challenge(challenge_id=first.pk, reason="x", actor=build.staff(), now=later(6))
    assert shard.evaluate_all(now=later(10)).evaluated == 1
    assert shard.books["alpha"].phase_ids() == {build.phase_of(second).pk}


def test_a_sale_after_the_look_at_the_book_saves_nobody_and_fails_nobody(shard):
    """The account is read again before a verdict: shares that are gone do not count."""
    step = {**FREE, "duration_days": 30, "max_total_loss_pct": Decimal("0.01")}
    challenge = build.start(build.program(step))
    (market,) = hold(challenge, 1)
    shard.evaluate_all(now=NOW)
    from tests.support.exchange import Trader
    from wallets.models import Wallet

    wallet = Wallet.objects.get(pk=challenge.account_login)
    Trader(challenge.customer, wallet, "alpha").place(
        market, "SELL", quantity="10", price="0.48", now=later(1)
    )
    from polysim.kernel.redis import get_redis
    from wallets.news import changed_accounts_key

    # The news of the sale is late; the price falls.
    get_redis().delete(changed_accounts_key("alpha"))
    set_book(market, bids=[("0.10", 10)], asks=[("0.12", 10)], now=later(2))
    assert shard.evaluate_changed(now=later(2)).decided == 0
    assert build.phase_of(challenge).status == 1


# --- Days ---------------------------------------------------------------------------------------
IRREGULAR = [
    ("America/New_York", date(2026, 3, 8), 23),
    ("America/New_York", date(2026, 11, 1), 25),
    ("Europe/London", date(2027, 3, 28), 23),
    ("Europe/London", date(2026, 10, 25), 25),
    ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
    ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
    ("Asia/Beirut", date(2026, 3, 29), 23),
]


@pytest.mark.parametrize(("zone", "day", "hours"), IRREGULAR)
def test_each_local_date_has_one_snapshot_with_the_equity_of_its_first_pass(
    shard, zone, day, hours
):
    place = ZoneInfo(zone)
    begins = start_of_date(day, place)
    ends = start_of_date(day + timedelta(days=1), place)
    assert (ends - begins) / 3600 == hours
    start = datetime.fromtimestamp(begins - 3600, UTC)
    challenge = build.start(build.program(FREE, timezone=zone), now=start)
    phase = build.phase_of(challenge)
    # (moment, equity): the last second of the day before, the first of the day, its last, the next
    path = [(begins - 1, 10001), (begins, 10002), (ends - 1, 10003), (ends, 10004)]
    for moment, equity in path:
        now = datetime.fromtimestamp(moment, UTC)
        build.set_cash(phase.account_login, str(equity), now=now)
        shard.evaluate_all(now=now)
        shard.evaluate_all(now=now)
    days = DailySnapshot.objects.filter(phase=phase).order_by("local_date")
    found = [(row.local_date, row.daily_start_equity, row.current_equity) for row in days]
    assert found == [
        (day - timedelta(days=1), 10000, 10001),
        (day, 10002, 10003),
        (day + timedelta(days=1), 10004, 10004),
    ]


def test_missed_days_get_no_snapshot(shard):
    challenge = build.start(build.program(FREE, timezone="UTC"))
    shard.evaluate_all(now=NOW)
    shard.evaluate_all(now=NOW + timedelta(days=3))
    days = DailySnapshot.objects.filter(challenge=challenge).values_list("local_date", flat=True)
    assert sorted(days) == [date(2026, 3, 2), date(2026, 3, 5)]


def test_the_days_snapshot_comes_before_its_rules(shard):
    """A loss over night counts from the new day's start: only the total loss would see it."""
    challenge = build.start(build.program({**FREE, "max_daily_loss_pct": 5}, timezone="UTC"))
    shard.evaluate_all(now=NOW)
    tomorrow = datetime(2026, 3, 3, 0, 0, tzinfo=UTC)
    build.set_cash(challenge.account_login, "9000", now=tomorrow)
    assert shard.evaluate_all(now=tomorrow).decided == 0
    day = DailySnapshot.objects.get(local_date=date(2026, 3, 3))
    assert (day.daily_start_equity, day.min_equity) == (9000, 9000)


def test_an_evaluator_that_comes_second_takes_over_the_days_start(shard):
    challenge = build.start(build.program(FREE, timezone="UTC"))
    phase = build.phase_of(challenge)
    shard.evaluate_all(now=NOW)
    tomorrow = NOW + timedelta(days=1)
    build.set_day_start(phase, "9500", now=tomorrow)
    shard.evaluate_all(now=tomorrow)
    book = shard.books["alpha"]
    row = book.arrays.row_of(phase.pk)
    assert int(book.arrays.day_start_equity[row]) == 9_500_000_000
    assert DailySnapshot.objects.get(local_date=date(2026, 3, 3)).daily_start_equity == 9500


# --- Old prices ---------------------------------------------------------------------------------
def lossy(challenge):
    """A loss that fails by equity alone, as soon as prices are fresh."""
    (market,) = hold(challenge, 1)
    build.set_cash(challenge.account_login, "8000")
    return market


@pytest.mark.parametrize(("age_s", "status"), [(300, 3), (301, 1)])
def test_rules_on_equity_wait_for_prices_from_300_s_on(shard, age_s, status):
    challenge = build.start()
    lossy(challenge)
    shard.evaluate_all(now=NOW + timedelta(seconds=age_s))
    assert build.phase_of(challenge).status == status


@pytest.mark.parametrize(("age_s", "status"), [(60, 3), (61, 1)])
def test_the_firm_chooses_how_old_prices_may_be(shard, age_s, status):
    PropSettings.objects.create(stale_after_s=60)
    challenge = build.start()
    lossy(challenge)
    shard.evaluate_all(now=NOW + timedelta(seconds=age_s))
    assert build.phase_of(challenge).status == status


def test_rules_on_counts_do_not_wait(shard):
    challenge = build.start(build.program({**build.EXAMPLE, "max_positions": 1}))
    hold(challenge, 2)
    shard.evaluate_all(now=NOW + timedelta(hours=1))
    assert build.phase_of(challenge).status == 3


def test_a_fresh_price_ends_the_wait(shard):
    challenge = build.start()
    market = lossy(challenge)
    old = NOW + timedelta(hours=1)
    shard.evaluate_all(now=old)
    assert build.phase_of(challenge).status == 1
    set_book(market, bids=[("0.48", 10)], asks=[("0.50", 10)], now=old)
    shard.evaluate_all(now=old + timedelta(seconds=5))
    assert build.phase_of(challenge).status == 3


def test_without_valkey_nothing_is_decided_and_all_is_read_anew(shard, monkeypatch):
    challenge = build.start()
    lossy(challenge)
    from polysim.kernel.errors import ServiceUnavailable
    from prop.evaluator import shard as module

    def gone(*_):
        raise ServiceUnavailable()

    with monkeypatch.context() as context:
        context.setattr(module, "apply_marks", gone)
        assert shard.evaluate_all(now=NOW).evaluated == 0
        assert shard.books == {}
    assert build.phase_of(challenge).status == 1
    assert shard.evaluate_all(now=later(5)).decided == 1


def test_a_resolved_market_counts_at_its_result_and_never_grows_old(shard):
    challenge = build.start(build.program({**FREE, "max_total_loss_pct": 1}))
    (market,) = hold(challenge, 1)
    MarketResolution.objects.create(
        market=market, version=1, payouts=["1", "0"], source="venue", resolved_at=NOW
    )
    much = NOW + timedelta(hours=2)
    shard.evaluate_all(now=much)
    # 9,995 in cash and ten shares at one dollar.
    assert MetricSnapshot.objects.get().equity == 10005
    settle_resolved_positions(now=much)
    shard.evaluate_all(now=much + timedelta(seconds=61))
    newest = MetricSnapshot.objects.latest("pk")
    assert (newest.equity, newest.open_positions) == (10005, 0)


# --- Warnings -----------------------------------------------------------------------------------
def warnings():
    rows = PropEvent.objects.filter(event="prop.warning").order_by("pk")
    return [(row.data["rule"], row.data["local_date"]) for row in rows]


@pytest.mark.parametrize(("equity", "is_warned"), [("9600.01", False), ("9600", True)])
def test_at_80_percent_of_a_limit_the_trader_is_warned(shard, equity, is_warned):
    challenge = build.start()
    build.set_cash(challenge.account_login, equity)
    shard.evaluate_all(now=NOW)
    assert warnings() == ([("max_daily_loss_pct", "2026-03-02")] if is_warned else [])


def test_a_warning_comes_once_a_rule_and_local_date(shard):
    challenge = build.start()
    phase = build.phase_of(challenge)
    build.set_cash(challenge.account_login, "9600")
    for second in (0, 5, 10):
        shard.evaluate_all(now=later(second))
    shard.close()
    shard.evaluate_all(now=later(15))
    assert warnings() == [("max_daily_loss_pct", "2026-03-02")]
    assert build.phase_of(challenge).warned == {"max_daily_loss_pct": "2026-03-02"}
    # A new day begins at 9,200 with both warnings due again, the total one at 9,200.
    tomorrow = NOW + timedelta(days=1)
    build.set_cash(challenge.account_login, "9200", now=tomorrow)
    shard.evaluate_all(now=tomorrow)
    assert warnings()[1:] == [("max_total_loss_pct", "2026-03-03")]
    event = PropEvent.objects.filter(event="prop.warning").latest("pk")
    assert event.data["threshold"] == 9000
    assert event.data["phase_id"] == phase.pk


# --- Memory -------------------------------------------------------------------------------------
def test_a_trailing_floor_survives_a_restart(shard):
    step = {**FREE, "max_total_loss_pct": 5, "drawdown_mode": "trailing"}
    challenge = build.start(build.program(step))
    build.set_cash(challenge.account_login, "11000")
    shard.evaluate_all(now=NOW)
    assert build.phase_of(challenge).peak_equity == 11000
    shard.close()
    build.set_cash(challenge.account_login, "10500.01")
    assert shard.evaluate_all(now=later(5)).decided == 0
    shard.close()
    build.set_cash(challenge.account_login, "10500")
    assert shard.evaluate_all(now=later(10)).decided == 1


def test_an_end_of_day_floor_trails_the_days_starts(shard):
    step = {**FREE, "max_total_loss_pct": 5, "drawdown_mode": "trailing_eod"}
    challenge = build.start(build.program(step))
    build.set_cash(challenge.account_login, "11000")
    shard.evaluate_all(now=NOW)
    tomorrow = NOW + timedelta(days=1)
    shard.evaluate_all(now=tomorrow)
    phase = build.phase_of(challenge)
    assert (phase.end_of_day_peak, phase.peak_equity) == (11000, 10000)
    shard.close()
    build.set_cash(challenge.account_login, "10500", now=tomorrow)
    assert shard.evaluate_all(now=tomorrow + timedelta(seconds=5)).decided == 1


def test_trading_days_survive_a_restart(shard):
    from tests.evaluator.test_worked_examples import trade_on

    challenge = build.start(build.program(FREE))
    trade_on(challenge, [NOW, NOW + timedelta(days=1)])
    now = NOW + timedelta(days=1, seconds=5)
    shard.evaluate_all(now=now)
    shard.close()
    shard.evaluate_all(now=now + timedelta(seconds=61))
    assert MetricSnapshot.objects.latest("pk").trading_days == 2


def test_two_evaluators_never_both_work(shard):
    build.start()
    other = Shard(0, list_firms=lambda: ["alpha"])
    assert shard.evaluate_all(now=NOW).evaluated == 1
    assert not other.evaluate_all(now=NOW).is_owner
    shard.close()
    assert other.evaluate_all(now=later(5)).evaluated == 1
    assert not shard.evaluate_all(now=later(5)).is_owner
    other.close()


def test_two_that_do_write_nothing_twice(shard, monkeypatch):
    """A process that was frozen and lost its lock unawares."""
    challenge = build.start()
    frozen = Shard(0, list_firms=lambda: ["alpha"])
    monkeypatch.setattr(frozen, "_owns", lambda: True)
    for second in range(0, 65, 5):
        shard.evaluate_all(now=later(second))
        frozen.evaluate_all(now=later(second))
    build.set_cash(challenge.account_login, "9000", now=later(70))
    decided = [one.evaluate_all(now=later(70)).decided for one in (shard, frozen)]
    assert decided[0] == 1
    assert Verdict.objects.count() == 1
    events = list(MetricSnapshot.objects.order_by("pk").values_list("event", flat=True))
    assert events == ["tick", "tick", "failed"]


def test_firms_are_spread_over_the_shards(settings):
    settings.PROP_EVALUATOR_SHARDS = 4
    assert {shard_of(f"firm{number}") for number in range(50)} == {0, 1, 2, 3}


# --- Signs of life ------------------------------------------------------------------------------
def test_the_heartbeat_counts_phases_and_the_alarm_sounds_at_none(shard):
    assert find_evaluator_trouble(now=NOW) == []
    build.start()
    assert "is not running: 1 active phases" in find_evaluator_trouble(now=NOW)[0]
    shard.evaluate_all(now=NOW)
    health = read_evaluator_health(now=later(30))
    assert (health.evaluated, health.active, health.age_s, health.is_well) == (1, 1, 30, True)
    assert find_evaluator_trouble(now=later(30)) == []
    assert "31 s ago" in find_evaluator_trouble(now=later(31))[0]
    ChallengePhase.objects.update(status=4)
    assert find_evaluator_trouble(now=later(31)) == []


def test_the_alarm_sounds_at_the_second_look_and_not_for_what_ended_in_between(shard):
    build.start()
    assert watch_evaluator(now=NOW) == []
    shard.evaluate_all(now=NOW)
    assert watch_evaluator(now=later(15)) == []
    assert watch_evaluator(now=later(31)) == []
    assert "46 s ago" in watch_evaluator(now=later(46))[0]


@pytest.mark.parametrize("is_large", [False, True])
def test_metrics_are_told_to_the_customer(shard, redis_client, monkeypatch, is_large):
    """In a large firm to those who have a page open: the others would not hear it anyway."""
    from polysim.kernel.redis import key
    from prop.evaluator import telling

    monkeypatch.setattr(telling, "TOLD_TO_ALL_MAX", 0 if is_large else 500)

    customer = make_user()
    challenge = build.start(customer=customer)
    if is_large:
        build.start()
        redis_client.zadd(key("sockets", "pages", customer.pk), {"socket": 1})
    listener = redis_client.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(key("user", customer.pk), key("prop", "staff", "alpha"))
    listener.get_message(timeout=1)
    shard.evaluate_all(now=NOW)
    frames = []
    for _ in range(10):
        message = listener.get_message(timeout=0.2)
        if message:
            frames.append(json.loads(message["data"]))
    told = [frame for frame in frames if frame["type"] == "prop"]
    assert len(told) == 2
    assert {frame["event"] for frame in told} == {"prop.metric"}
    assert told[0]["data"]["challenge_id"] == challenge.pk
    assert told[0]["data"]["equity"] == 10000


def test_firms_are_kept_apart(alpha, beta):
    mine = Shard(0, list_firms=lambda: ["alpha", "beta"])
    first = build.start()
    with enter_building("beta"):
        second = build.start()
        build.set_cash(second.account_login, "9000")
    assert mine.evaluate_all(now=NOW).decided == 1
    assert build.phase_of(first).status == 1
    with enter_building("beta"):
        assert build.phase_of(second).status == 3
    mine.close()
