"""The optional rule engine on a firm's own accounts (partner-api B4); all in the firm's building.

One pass judges every account whose rules name the engine with a fixed number of statements and one
look at the marks. What is decided is written account by account under the trader's lock, from rows
read anew, so evaluators at the same moment and repeated runs change nothing twice.
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import DatabaseError, connection, transaction

from polysim.kernel.errors import PolysimError
from polysim.kernel.tenancy import require_building
from prop.models import AccountEvaluation
from prop.objects.accounts import account_breach, account_metric
from prop.rules import FAILED
from prop.selectors.account_rules import (
    AccountReading,
    is_engine_on,
    load_judged,
    read_account,
)
from prop.services.readings import stale_after_s
from tenants.office.services import system_actor, write_firm_audit
from trading.events import tell_evaluator
from trading.selectors.account_figures import Marks, figure_account, read_account_marks
from trading.selectors.envelopes import envelope_row, read_state
from trading.services.firm_accounts import make_read_only
from trading.services.firm_accounts.rows import lock_account, record_change
from trading.services.measures import keep_measures
from trading.services.order_events import publish_wallet
from wallets.models import FirmAccount, Wallet

logger = logging.getLogger(__name__)

ACTOR = system_actor("rule engine")
METRIC_EVERY = timedelta(seconds=60)
METRICS_KEPT = 500
REASON_LENGTH_MAX = 200
# Members of a metric that differ without anything having happened.
_VOLATILE = ("seq", "measured_at")
_STATES = AccountEvaluation.State

# The accounts' rows come first, as in every verdict: whoever ends an account is waited for.
_KEEP_METRICS = f"""
WITH locked AS (
  SELECT wallet_id FROM wallets_firmaccount WHERE wallet_id = ANY (%(ids)s::bigint[])
  ORDER BY wallet_id FOR KEY SHARE
)
INSERT INTO prop_accountevaluation AS e
  (account_id, attempt, state, latest_metric, metrics, breaches, measured_at)
SELECT v.id, v.attempt, 'active', m.metric, jsonb_build_array(m.metric), '[]', v.at
FROM unnest(%(ids)s::bigint[], %(attempts)s::integer[], %(metrics)s::text[],
  %(moments)s::timestamptz[]) AS v (id, attempt, metric, at)
JOIN locked ON locked.wallet_id = v.id
CROSS JOIN LATERAL (SELECT v.metric::jsonb || '{{"seq": 1}}' AS metric) m
ORDER BY v.id
ON CONFLICT (account_id, attempt) DO UPDATE SET
  latest_metric = EXCLUDED.latest_metric
    || jsonb_build_object('seq', COALESCE((e.latest_metric->>'seq')::integer, 0) + 1),
  metrics = jsonb_path_query_array(jsonb_build_array(EXCLUDED.latest_metric
    || jsonb_build_object('seq', COALESCE((e.latest_metric->>'seq')::integer, 0) + 1))
    || e.metrics, '$[0 to {METRICS_KEPT - 1}]'),
  measured_at = EXCLUDED.measured_at
WHERE e.state = 'active' AND (e.measured_at IS NULL
  OR EXCLUDED.measured_at - e.measured_at >= interval '{METRIC_EVERY.seconds} seconds')
"""  # noqa: S608 (constants of this module are filled in)


@dataclass(frozen=True, slots=True)
class AccountPass:
    """How many accounts were judged, and of how many the rules decided."""

    judged: int
    ended: int


def evaluate_on_clock(wallet_ids: Sequence[int], now: datetime) -> None:
    """What happens at each step of a test clock: judge its accounts at the clock's time."""
    evaluate_accounts(now=now, wallet_ids=wallet_ids)


def evaluate_accounts(*, now: datetime, wallet_ids: Sequence[int] | None = None) -> AccountPass:
    """Judge the building's accounts under the engine, or those named; safe to repeat.

    A verdict that cannot be written now is left to the next pass, but for named accounts raises
    what stopped it (TradeInProgress, ServerBusy).
    """
    if not is_engine_on():
        return AccountPass(0, 0)
    states = load_judged(wallet_ids)
    if not states:
        return AccountPass(0, 0)
    marks, stale_after = read_account_marks(states), stale_after_s()
    found = (read_account(one, marks, now=now, stale_after=stale_after) for one in states)
    readings = [reading for reading in found if reading is not None]
    keep_measures([one.figures for one in readings], now=now, is_patient=wallet_ids is not None)
    _keep_metrics([one for one in readings if not one.verdict.is_final])
    ended = 0
    for reading in readings:
        if not reading.verdict.is_final:
            continue
        try:
            ended += _end(reading.figures.state.wallet_id, marks, now=now, stale_after=stale_after)
        except (PolysimError, DatabaseError) as error:
            if wallet_ids is not None:
                raise
            wallet_id = reading.figures.state.wallet_id
            logger.warning("The verdict on account %s waits: %s", wallet_id, error)
    return AccountPass(len(readings), ended)


def _keep_metrics(readings: Sequence[AccountReading]) -> None:
    """A metric of each account that changed since its last one, at least a minute ago."""
    rows = AccountEvaluation.objects.filter(
        account_id__in=[one.figures.state.wallet_id for one in readings]
    )
    former = {
        (account_id, attempt): (metric, at)
        for account_id, attempt, metric, at in rows.values_list(
            "account_id", "attempt", "latest_metric", "measured_at"
        )
    }
    due = []
    for reading in readings:
        state, at = reading.figures.state, reading.figures.at
        metric = _metric(reading)
        last, last_at = former.get((state.wallet_id, state.attempt), (None, None))
        is_early = last_at is not None and at - last_at < METRIC_EVERY
        if not is_early and not _is_same(metric, last):
            due.append((state.wallet_id, state.attempt, json.dumps(metric), at))
    if not due:
        return
    columns = (list(column) for column in zip(*due, strict=True))
    values = dict(zip(("ids", "attempts", "metrics", "moments"), columns, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_KEEP_METRICS, values)


def _metric(reading: AccountReading) -> dict[str, Any]:
    return account_metric(reading.figures, terms=reading.terms, measures=reading.measures)


def _is_same(metric: dict[str, Any], last: dict[str, Any] | None) -> bool:
    if last is None:
        return False
    return {**last, **{name: metric.get(name) for name in _VOLATILE}} == {"seq": None, **metric}


@transaction.atomic
def _end(wallet_id: int, marks: Marks, *, now: datetime, stale_after: int) -> bool:
    """Write the verdict by the same marks on rows read under the lock; False if there is none."""
    account = lock_account(wallet_id=wallet_id)
    state = read_state(wallet_id=wallet_id)
    # Shares bought since the pass began have their marks read now.
    marks = {**read_account_marks([state]), **marks}
    reading = read_account(state, marks, now=now, stale_after=stale_after)
    if reading is None or not state.is_active or not reading.verdict.is_final:
        return False
    rows = AccountEvaluation.objects.select_for_update()
    row, _ = rows.get_or_create(account_id=wallet_id, attempt=state.attempt)
    if row.state != _STATES.ACTIVE:
        return False
    _write_end(row, reading)
    done = make_read_only(wallet_id=wallet_id, reason=_reason(reading), now=reading.figures.at)
    _record_end(
        account,
        row,
        reading,
        marks,
        was_enabled=state.trading_enabled,
        cancelled=done.orders_cancelled,
        now=now,
    )
    return True


def _write_end(row: AccountEvaluation, reading: AccountReading) -> None:
    figures, verdict = reading.figures, reading.verdict
    number = 1 + (row.latest_metric or {}).get("seq", 0)
    row.latest_metric = _metric(reading) | {"seq": number}
    row.metrics = [row.latest_metric, *row.metrics][:METRICS_KEPT]
    row.state = _STATES.FAILED if verdict.state == FAILED else _STATES.PASSED
    count = len(verdict.breaches)
    row.breaches = [
        account_breach(breach, figures=figures) | {"seq": count - place}
        for place, breach in enumerate(verdict.breaches)
    ]
    row.latest_breach = row.breaches[0] if row.breaches else None
    row.measured_at = row.ended_at = figures.at
    row.save()


def _reason(reading: AccountReading) -> str:
    """What the trader reads where orders were."""
    figures, verdict = reading.figures, reading.verdict
    local = figures.at.astimezone(ZoneInfo(figures.state.time_zone))
    day = f"{local.day} {local:%B}"
    if verdict.breaches:
        text = f"Rule broken on {day}. {verdict.breaches[0].message}."
    else:
        text = f"Passed on {day}: the account's rules are met and trading has ended."
    return text[:REASON_LENGTH_MAX]


def _record_end(
    account: FirmAccount,
    row: AccountEvaluation,
    reading: AccountReading,
    marks: Marks,
    *,
    was_enabled: bool,
    cancelled: int,
    now: datetime,
) -> None:
    """The audit entry, the event of a breach with the figures as they are now, the news."""
    before = {"state": _STATES.ACTIVE.value, "trading_enabled": was_enabled}
    after = {
        "state": str(row.state),
        "trading_enabled": False,
        "rule": reading.verdict.rule,
        "equity": row.latest_metric["equity"] if row.latest_metric else "",
        "orders_cancelled": cancelled,
    }
    if row.state == _STATES.FAILED:
        figures = figure_account(read_state(wallet_id=account.pk), marks, now=now)
        record_change(
            account=account,
            action="account.breached",
            envelope=envelope_row(figures) | {"breach": row.latest_breach},
            before=before,
            after=after | {"breach": row.latest_breach},
            actor=ACTOR,
            now=figures.at,
        )
        return
    write_firm_audit(
        actor=ACTOR,
        action="account.passed",
        object_type="account",
        object_id=account.wallet.account_id,
        before=before,
        after=after,
        now=reading.figures.at,
    )
    _tell_after_commit(account.wallet, now=reading.figures.at)


def _tell_after_commit(wallet: Wallet, *, now: datetime) -> None:
    user_id, wallet_id, schema = wallet.user_id, wallet.pk, require_building()

    def publish() -> None:
        publish_wallet(user_id=user_id, wallet_id=wallet_id, reason="account.passed", now=now)
        tell_evaluator(schema=schema, wallet_id=wallet_id)

    transaction.on_commit(publish)
