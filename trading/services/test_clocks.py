"""Test clocks: a sandbox firm's own time for its accounts (partner-api B5).

All run in the firm's building. While a clock advances a worker steps through what happens in
between, in order: each resting order's expiry, each local midnight of its accounts, and the target
itself. Every step is a transaction that also moves the clock, so a killed worker loses nothing:
the next one goes on from where the clock stands.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from celery import current_app
from django.db import transaction

from polysim.kernel.clock import iso_micro_text, to_milliseconds
from polysim.kernel.errors import NotFound, PolysimError, ValidationFailed
from polysim.kernel.tenancy import require_building
from tenants.office.services import Actor, write_event, write_firm_audit
from trading.clock_ticks import tick_accounts
from trading.markets.models import Outcome
from trading.matcher.index import OpenOrder
from trading.selectors.clocks import (
    account_clock,
    find_next_expiry,
    list_clock_wallet_ids,
    list_clock_zones,
)
from trading.selectors.open_orders import list_clock_orders, list_ended_market_ids
from trading.services.measures import measure_accounts
from trading.services.order_prices import ClockPrices
from trading.services.refusals import ClockAdvancing, ServerBusy
from trading.services.resting import (
    expire_due_orders,
    expire_orders_of_ended_markets,
    fill_clock_orders,
)
from wallets.models import FirmAccount, TestClock

ADVANCE_MAX = timedelta(days=400)
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
ADVANCE_TASK = "trading.tasks.advance_test_clock"
ONE = Decimal(1)


class ClockInUse(PolysimError):
    """Accounts that live on the clock are still active."""

    code = "CLOCK_IN_USE"
    status = 409
    message = "Active accounts live on this clock. Close them first."


def create_clock(*, name: str, frozen_time: datetime, actor: Actor, now: datetime) -> TestClock:
    """A clock that stands at `frozen_time`. Raises ValidationFailed outside of 2000 to 2099."""
    _require_in_range("frozen_time", frozen_time)
    with transaction.atomic():
        clock = TestClock.objects.create(name=name, frozen_time=frozen_time, created_at=now)
        after = {"name": name, "frozen_time": iso_micro_text(frozen_time)}
        _write_audit(clock, "test_clock.created", actor=actor, now=now, after=after)
    return clock


@transaction.atomic
def delete_clock(*, clock_id: UUID, actor: Actor, now: datetime) -> None:
    """Remove a clock that no active account lives on. Raises NotFound, ClockInUse, ClockAdvancing.

    Closed accounts keep it, so that their history stays what it was.
    """
    clock = _get_standing(clock_id)
    if FirmAccount.objects.filter(test_clock=clock, status=FirmAccount.Status.ACTIVE).exists():
        raise ClockInUse()
    clock.status = TestClock.Status.DELETED
    clock.save(update_fields=["status"])
    _write_audit(clock, "test_clock.deleted", actor=actor, now=now, before={"name": clock.name})


@transaction.atomic
def advance_clock(*, clock_id: UUID, to: datetime, actor: Actor, now: datetime) -> TestClock:
    """Set a clock on its way to `to`; a worker carries it there.

    Raises NotFound, ClockAdvancing, ValidationFailed (backward, or more than 400 days).
    """
    clock = _get_standing(clock_id)
    if to <= clock.frozen_time:
        raise ValidationFailed([("to", "must be later than the clock's time")])
    if to > clock.frozen_time + ADVANCE_MAX:
        raise ValidationFailed([("to", "may be at most 400 days ahead")])
    _require_in_range("to", to)
    clock.status, clock.target_time = TestClock.Status.ADVANCING, to
    clock.save(update_fields=["status", "target_time"])
    before = {"frozen_time": iso_micro_text(clock.frozen_time)}
    after = {"target_time": iso_micro_text(to)}
    _write_audit(clock, "test_clock.advanced", actor=actor, now=now, before=before, after=after)
    arguments = [require_building(), str(clock.pk)]
    # The sweep finds the clock if the broker does not answer.
    transaction.on_commit(
        lambda: current_app.send_task(ADVANCE_TASK, arguments, retry=False), robust=True
    )
    return clock


def set_clock_prices(
    *, clock_id: UUID, prices: Mapping[str, Decimal], actor: Actor, now: datetime
) -> TestClock:
    """Replace the script: dollars per share by token, above 0 and below 1.

    The other outcome of a market follows. Resting orders that the new prices reach are filled, and
    the accounts measured, before this returns. Raises NotFound, ClockAdvancing, ValidationFailed.
    """
    script = _complete(prices)
    with transaction.atomic():
        clock = _get_standing(clock_id)
        before, clock.prices = clock.prices, script
        clock.save(update_fields=["prices"])
        _write_audit(
            clock, "test_clock.prices_set", actor=actor, now=now, before=before, after=script
        )
    work_orders(clock_id=clock_id, now=now, only_scripted=True)
    _measure(clock)
    return clock


def work_orders(*, clock_id: UUID, now: datetime, only_scripted: bool = False) -> int:
    """What the matcher does for other accounts: fill, expire and end the orders on a clock.

    Answers how many orders were filled or ended. `now` is the real moment, for live prices; with
    `only_scripted` those stay out. An advancing clock is left to its worker.
    """
    clock = TestClock.objects.filter(pk=clock_id, status=TestClock.Status.READY).first()
    orders = [] if clock is None else list_clock_orders(clock_id=clock_id)
    if clock is None or not orders:
        return 0
    prices = ClockPrices(account_clock(clock), now)
    ended_ids = list_ended_market_ids(sorted({order.market_id for order in orders}))
    ended = [order for order in orders if order.market_id in ended_ids]
    done = len(expire_orders_of_ended_markets(orders=ended, now=prices.at))
    for condition_id in sorted({order.condition_id for order in orders}):
        is_out = only_scripted and prices.read_scripted(condition_id) is None
        mine = [order for order in orders if order.condition_id == condition_id]
        if is_out or mine[0].market_id in ended_ids:
            continue
        reports = fill_clock_orders(condition_id=condition_id, orders=mine, prices=prices)
        done += sum(report.quantity > 0 for report in reports)
    return done


@transaction.atomic
def step_clock(*, clock_id: UUID, now: datetime) -> bool:
    """Carry an advancing clock to the next moment at which something happens.

    False when it stands (arrived, deleted) or another worker carries it. Raises ServerBusy when an
    order cannot be ended now; the step is then repeated whole. `now` is the real moment.
    """
    rows = TestClock.objects.select_for_update(skip_locked=True)
    clock: TestClock | None = rows.filter(pk=clock_id, status=TestClock.Status.ADVANCING).first()
    if clock is None:
        return False
    assert clock.target_time is not None, "an advancing clock has a target"
    clock.frozen_time = _next_moment(clock, clock.target_time)
    has_arrived = clock.frozen_time >= clock.target_time
    if has_arrived:
        clock.status, clock.target_time = TestClock.Status.READY, None
    clock.save(update_fields=["frozen_time", "status", "target_time"])
    _expire(clock)
    _measure(clock)
    if has_arrived:
        data = {
            "test_clock_id": str(clock.pk),
            "name": clock.name,
            "frozen_time": iso_micro_text(clock.frozen_time),
        }
        write_event(type="test_clock.ready", data=data, now=now)
    return True


def _next_moment(clock: TestClock, target: datetime) -> datetime:
    """The first of: an order's expiry, a local midnight, the target."""
    moments = [
        _next_midnight(ZoneInfo(zone), clock.frozen_time)
        for zone in list_clock_zones(clock_id=clock.pk)
    ]
    expiry = find_next_expiry(clock_id=clock.pk)
    if expiry is not None:
        moments.append(max(expiry, clock.frozen_time))
    return min([*moments, target])


def _next_midnight(zone: ZoneInfo, after: datetime) -> datetime:
    """The next moment at which a local day of the zone begins."""
    day = after.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _expire(clock: TestClock) -> None:
    due_ms = to_milliseconds(clock.frozen_time)
    due = [order for order in list_clock_orders(clock_id=clock.pk) if order.is_due(due_ms)]
    if _count(due) > len(expire_due_orders(orders=due, now=clock.frozen_time)):
        raise ServerBusy()


def _count(orders: list[OpenOrder]) -> int:
    return len({order.identity for order in orders})


def _measure(clock: TestClock) -> None:
    """Peak, drawdown and day of the accounts at the clock's time, then everybody's evaluation."""
    wallet_ids = list_clock_wallet_ids(clock_id=clock.pk)
    if wallet_ids:
        measure_accounts(now=clock.frozen_time, wallet_ids=wallet_ids)
        tick_accounts(wallet_ids, clock.frozen_time)


def _complete(prices: Mapping[str, Decimal]) -> dict[str, str]:
    """The script with both outcomes of each market. Raises ValidationFailed."""
    outcomes = Outcome.objects.filter(token_id__in=list(prices)).select_related("market")
    market_of = {outcome.token_id: outcome.market_id for outcome in outcomes}
    wrong = [(token, "is no token of a market") for token in prices if token not in market_of]
    wrong += [
        (token, "must be above 0 and below 1")
        for token, price in prices.items()
        if not 0 < price < 1
    ]
    script = dict(prices)
    for outcome in Outcome.objects.filter(market_id__in=set(market_of.values())):
        others = [
            token
            for token, market_id in market_of.items()
            if market_id == outcome.market_id and token != outcome.token_id
        ]
        for token in others:
            price = script.setdefault(outcome.token_id, ONE - prices[token])
            if price + prices[token] != ONE:
                wrong.append((token, "must add up to 1 with the market's other outcome"))
    if wrong:
        raise ValidationFailed(wrong)
    return {token: str(price) for token, price in sorted(script.items())}


def _get_standing(clock_id: UUID) -> TestClock:
    rows = TestClock.objects.select_for_update().exclude(status=TestClock.Status.DELETED)
    clock: TestClock | None = rows.filter(pk=clock_id).first()
    if clock is None:
        raise NotFound()
    if clock.status == TestClock.Status.ADVANCING:
        raise ClockAdvancing()
    return clock


def _require_in_range(field: str, moment: datetime) -> None:
    if not EARLIEST <= moment < LATEST:
        raise ValidationFailed([(field, "must lie in the years 2000 to 2099")])


def _write_audit(
    clock: TestClock,
    action: str,
    *,
    actor: Actor,
    now: datetime,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="test_clock",
        object_id=clock.pk,
        now=now,
        before=before,
        after=after,
    )
