"""The worked examples of prop-backoffice 7, through the database: read, judged, written."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from prop.evaluator.shard import Shard
from prop.models import (
    Challenge,
    ChallengePhase,
    ChallengeStatus,
    DailySnapshot,
    MetricSnapshot,
    Payout,
    RuleBreach,
)
from prop.services.payouts import book_payout
from tests.evaluator import build
from tests.evaluator.build import NOW
from tests.support.exchange import Trader, make_market, set_book
from wallets.models import LedgerEntry, LedgerTransaction, Wallet
from wallets.selectors import check_conservation

pytestmark = pytest.mark.usefixtures("in_alpha")

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


@pytest.fixture
def shard():
    """An evaluator of alpha alone."""
    mine = Shard(0, list_firms=lambda: ["alpha"])
    yield mine
    mine.close()


def judged(shard, challenge, *, day, equity, now=NOW) -> ChallengePhase:
    """The phase after a full pass at this equity, on a day that began at `day`."""
    phase = build.phase_of(challenge)
    build.set_day_start(phase, day, now=now)
    build.set_cash(phase.account_login, equity, now=now)
    assert shard.evaluate_all(now=now).is_owner
    return build.phase_of(challenge)


def breaches_of(phase):
    rows = RuleBreach.objects.filter(phase=phase).order_by("-is_primary", "pk")
    return [(row.rule, row.limit_value, row.actual_value, row.basis_value) for row in rows]


def trade_on(challenge, moments):
    """Own fills at each of these moments: a few shares bought, and sold again at once."""
    wallet = Wallet.objects.get(pk=build.phase_of(challenge).account_login)
    trader = Trader(challenge.customer, wallet, "alpha")
    market = make_market(fee_rate="0")
    for moment in moments:
        set_book(market, bids=[("0.48", 10_000)], asks=[("0.49", 10_000)], now=moment)
        trader.place(market, "BUY", quantity="5", price="0.49", now=moment)
        trader.place(market, "SELL", quantity="5", price="0.48", now=moment)


@pytest.mark.parametrize(
    ("equity", "total", "daily", "status"),
    [
        ("9000.01", Decimal("9.9999"), Decimal("2.173804"), 1),
        ("9000.00", Decimal(10), Decimal("2.173913"), 3),
    ],
)
def test_1_total_loss(shard, equity, total, daily, status):
    phase = judged(shard, build.start(), day="9200", equity=equity)
    assert phase.status == status
    metric = MetricSnapshot.objects.get(phase=phase)
    assert (metric.total_loss, metric.daily_loss) == (total, daily)
    if status == 3:
        assert breaches_of(phase) == [("max_total_loss_pct", 10, 10, 10000)]


@pytest.mark.parametrize(
    ("equity", "daily", "status"),
    [("9880.01", Decimal("4.999904"), 1), ("9880.00", Decimal(5), 3)],
)
def test_2a_daily_loss(shard, equity, daily, status):
    phase = judged(shard, build.start(), day="10400", equity=equity)
    assert phase.status == status
    assert MetricSnapshot.objects.get(phase=phase).daily_loss == daily
    if status == 3:
        assert breaches_of(phase) == [("max_daily_loss_pct", 5, 5, 10400)]
        assert MetricSnapshot.objects.get(phase=phase).total_loss == Decimal("1.2")


def test_2b_both_losses(shard):
    challenge = build.start()
    phase = judged(shard, challenge, day="9300", equity="8835")
    assert breaches_of(phase) == [
        ("max_total_loss_pct", 10, Decimal("11.65"), 10000),
        ("max_daily_loss_pct", 5, 5, 9300),
    ]
    assert build.challenge_now(challenge).fail_rule == "max_total_loss_pct"


@pytest.mark.parametrize(("equity", "status"), [("10499.99", 1), ("10500", 3)])
def test_3_daily_profit(shard, equity, status):
    step = {**build.EXAMPLE, "max_daily_profit_pct": 5}
    phase = judged(shard, build.start(build.program(step)), day="10000", equity=equity)
    assert phase.status == status
    if status == 3:
        assert breaches_of(phase) == [("max_daily_profit_pct", 5, 5, 10000)]


def hold(challenge, count, *, now=NOW):
    """Buy a few shares of `count` outcomes."""
    wallet = Wallet.objects.get(pk=build.phase_of(challenge).account_login)
    trader = Trader(challenge.customer, wallet, "alpha")
    markets = []
    for _ in range(count):
        market = make_market(fee_rate="0")
        set_book(market, bids=[("0.48", 10_000)], asks=[("0.50", 10_000)], now=now)
        trader.place(market, "BUY", quantity="10", price="0.50", now=now)
        markets.append(market)
    return markets


@pytest.mark.parametrize(("count", "status"), [(5, 1), (6, 3)])
def test_4_positions(shard, count, status):
    challenge = build.start()
    hold(challenge, count)
    shard.evaluate_all(now=NOW)
    phase = build.phase_of(challenge)
    assert phase.status == status
    if status == 3:
        assert breaches_of(phase) == [("max_positions", 5, 6, 0)]


def test_4b_positions_come_before_the_target(shard):
    challenge = build.start()
    hold(challenge, 6)
    phase = build.phase_of(challenge)
    # Six positions of 10 shares, bought at 0.50 and worth 0.49: 29.40.
    build.set_cash(phase.account_login, "10820.60")
    ChallengePhase.objects.filter(pk=phase.pk).update(trading_days=3)
    shard.evaluate_all(now=NOW)
    phase = build.phase_of(challenge)
    assert (phase.status, phase.final_equity) == (3, 10850)
    assert [rule for rule, *_ in breaches_of(phase)] == ["max_positions"]


def days_traded(challenge, count, *, first=NOW):
    trade_on(challenge, [first + timedelta(days=day) for day in range(count)])


@pytest.mark.parametrize(("equity", "status"), [("10799.99", 1), ("10800", 2)])
def test_5a_target(shard, equity, status):
    challenge = build.start(build.program(build.EXAMPLE, build.EXAMPLE))
    days_traded(challenge, 3)
    now = NOW + timedelta(days=2, minutes=1)
    phase = judged(shard, challenge, day="10000", equity=equity, now=now)
    assert (phase.trading_days, phase.status) == (3, status)


def test_5a_the_next_phase_opens(shard):
    challenge = build.start(build.program({**build.EXAMPLE, "min_trading_days": 0}, build.EXAMPLE))
    phase = judged(shard, challenge, day="10000", equity="10800")
    assert phase.status == 2
    build.run_jobs()
    assert build.phase_of(challenge, 2).status == 1
    # The evaluator takes the new phase in by itself.
    assert shard.evaluate_all(now=NOW + timedelta(seconds=5)).evaluated == 1


def test_5b_too_few_days(shard):
    challenge = build.start()
    days_traded(challenge, 2)
    now = NOW + timedelta(days=1, minutes=1)
    phase = judged(shard, challenge, day="10000", equity="10800", now=now)
    assert (phase.status, phase.trading_days) == (1, 2)


FILLS = [
    datetime(2026, 3, 2, 15, 0, tzinfo=UTC),
    datetime(2026, 3, 3, 3, 30, tzinfo=UTC),
    datetime(2026, 3, 3, 5, 0, tzinfo=UTC),
]


def test_6_trading_days_by_fills(shard):
    challenge = build.start(now=START)
    trade_on(challenge, FILLS)
    shard.evaluate_all(now=FILLS[-1])
    phase = build.phase_of(challenge)
    assert phase.trading_days == 2
    assert phase.last_trading_date.isoformat() == "2026-03-03"
    assert phase.last_fill_at == FILLS[-1]
    assert MetricSnapshot.objects.get(phase=phase).trading_days == 2


def test_6_trading_days_by_snapshots(shard):
    build.start(build.program(trading_days_mode="snapshots"), now=START)
    for day in (2, 3, 4):
        shard.evaluate_all(now=datetime(2026, 3, day, 17, 0, tzinfo=UTC))
    assert list(
        DailySnapshot.objects.order_by("local_date").values_list("local_date", flat=True)
    ) == [datetime(2026, 3, day).date() for day in (2, 3, 4)]
    newest = MetricSnapshot.objects.latest("pk")
    assert newest.trading_days == 3


@pytest.mark.parametrize(("days", "status"), [(20, 1), (21, 3)])
def test_7_too_many_days(shard, days, status):
    step = {**build.EXAMPLE, "max_daily_loss_pct": 0}
    challenge = build.start(build.program(step))
    days_traded(challenge, days)
    shard.evaluate_all(now=NOW + timedelta(days=days - 1, minutes=1))
    phase = build.phase_of(challenge)
    assert phase.status == status
    if status == 3:
        assert breaches_of(phase) == [("max_trading_days", 20, 21, 0)]


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (datetime(2026, 4, 1, 9, 59, 59, tzinfo=UTC), 1),
        (datetime(2026, 4, 1, 10, 0, tzinfo=UTC), 3),
    ],
)
def test_8a_deadline(shard, now, status):
    challenge = build.start(now=START)
    phase = judged(shard, challenge, day="10500", equity="10500", now=now)
    assert phase.status == status
    if status == 3:
        assert [(rule, limit) for rule, limit, *_ in breaches_of(phase)] == [("duration_days", 30)]


def test_8b_the_target_comes_before_the_deadline(shard):
    challenge = build.start(now=START)
    days_traded(challenge, 3, first=START)
    now = datetime(2026, 4, 1, 10, 0, tzinfo=UTC)
    phase = judged(shard, challenge, day="10900", equity="10900", now=now)
    assert (phase.status, phase.verdict.rule) == (2, "profit_target_pct")


def test_9_payout(shard):
    funded = build.program(build.FUNDED, deposit="100000")
    challenge = build.start(funded, now=START, has_payer=True)
    phase = build.phase_of(challenge)
    build.set_cash(phase.account_login, "104321.57")
    shard.evaluate_all(now=START + timedelta(days=30))
    now = START + timedelta(days=30, seconds=1)
    assert build.challenge_now(challenge).status == ChallengeStatus.PASSED

    build.run_jobs(now)

    payout = Payout.objects.get()
    assert (payout.profit, payout.amount, payout.firm_amount) == (
        Decimal("4321.57"),
        Decimal("3457.25"),
        Decimal("864.32"),
    )
    assert (payout.get_status_display(), payout.paid_at) == ("paid", now)
    booked = LedgerTransaction.objects.filter(reference__startswith=f"payout:{payout.pk}:")
    assert booked.count() == 3
    assert Wallet.objects.get(pk=payout.funded_login).balance == 100000
    assert Wallet.objects.get(pk=payout.payer_login).balance == Decimal("3957.25")
    firm = LedgerEntry.objects.get(account="FIRM", transaction__in=booked)
    assert firm.amount == Decimal("864.32")

    # A second run of the job books nothing.
    book_payout(payout_id=payout.pk, now=now)
    assert booked.count() == 3
    sound = check_conservation()
    assert (sound.entries_total, sound.unbalanced_wallet_ids) == (0, ())


def test_10_metrics_are_throttled(shard):
    challenge = build.start()
    for second in range(0, 125, 5):
        shard.evaluate_all(now=NOW + timedelta(seconds=second))
    phase = build.phase_of(challenge)
    build.set_cash(phase.account_login, "9000", now=NOW + timedelta(seconds=125))
    shard.evaluate_all(now=NOW + timedelta(seconds=125))
    rows = MetricSnapshot.objects.order_by("pk").values_list("event", "created_at")
    assert [(event, int((at - NOW).total_seconds())) for event, at in rows] == [
        ("tick", 0),
        ("tick", 60),
        ("tick", 120),
        ("failed", 125),
    ]


def test_12_extremes_of_a_day(shard):
    challenge = build.start()
    phase = build.phase_of(challenge)
    for number, equity in enumerate(("10000", "10300", "9900", "10100")):
        at = NOW + timedelta(seconds=5 * number)
        build.set_cash(phase.account_login, equity, now=at)
        shard.evaluate_all(now=at)
    day = DailySnapshot.objects.get(phase=phase)
    assert (day.daily_start_equity, day.current_equity) == (10000, 10100)
    assert (day.min_equity, day.max_equity) == (9900, 10300)


def test_nothing_of_a_challenge_that_is_over_is_judged(shard):
    challenge = build.start()
    Challenge.objects.filter(pk=challenge.pk).update(status=4)
    assert shard.evaluate_all(now=NOW).evaluated == 0
