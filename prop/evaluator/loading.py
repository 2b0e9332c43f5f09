"""Reading a firm's active phases and their accounts set-wise; all in the firm's building.

Money, shares and cost are integers scaled by 10**6, times Unix seconds (0 = never). Cash, holdings
and fills of an account come from one statement, so that they belong to the same moment.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from prop.rules import Terms
from prop.services.snapshots import array_text
from trading.markets.models import MarketResolution, Outcome

# Executions that count as the trader's: the firm's and Polysim's own sales do not.
OWN_FILLS = "('trader', 'partner')"

_PHASES = """
SELECT p.id, p.challenge_id, p.account_login, c.customer_id, p.phase_index,
  md5(p.terms::text), extract(epoch FROM p.start_at)::bigint,
  (p.peak_equity * 1000000)::bigint, (p.end_of_day_peak * 1000000)::bigint,
  p.trading_days, COALESCE(extract(epoch FROM p.last_fill_at), 0)::bigint,
  COALESCE(extract(epoch FROM m.created_at), 0)::bigint, NULLIF(p.warned, '{}'),
  s.local_date, (s.daily_start_equity * 1000000)::bigint,
  (s.daily_start_balance * 1000000)::bigint, (s.current_equity * 1000000)::bigint,
  (s.current_balance * 1000000)::bigint
FROM prop_challengephase p
JOIN prop_challenge c ON c.id = p.challenge_id AND c.status = 1
LEFT JOIN LATERAL (
  SELECT * FROM prop_dailysnapshot d WHERE d.phase_id = p.id ORDER BY d.local_date DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (
  SELECT created_at FROM prop_metricsnapshot x WHERE x.challenge_id = p.challenge_id
  ORDER BY x.created_at DESC, x.id DESC LIMIT 1
) m ON true
WHERE p.status = 1 AND (%(ids)s::bigint[] IS NULL OR p.id = ANY (%(ids)s::bigint[]))
ORDER BY p.id
"""
_TERMS = """
SELECT DISTINCT ON (md5(terms::text)) md5(terms::text), terms
FROM prop_challengephase
WHERE status = 1 AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s::bigint[]))
"""
_ACCOUNTS = f"""
SELECT p.id, 0, ((w.balance + w.reserved) * 1000000)::bigint, f.days, f.last_at
FROM prop_challengephase p
JOIN wallets_wallet w ON w.id = p.account_login
CROSS JOIN LATERAL (
  SELECT count(DISTINCT (x.created_at AT TIME ZONE (p.terms->>'timezone'))::date) AS days,
    COALESCE(extract(epoch FROM max(x.created_at)), 0)::bigint AS last_at
  FROM trading_fill x
  WHERE x.wallet_id = w.id AND x.placed_by IN {OWN_FILLS} AND x.created_at >= p.start_at) f
WHERE p.status = 1 AND (%(ids)s::bigint[] IS NULL OR p.id = ANY (%(ids)s::bigint[]))
UNION ALL
SELECT p.id, o.outcome_id, (o.quantity * 1000000)::bigint, (o.cost * 1000000)::bigint, 0
FROM prop_challengephase p
JOIN trading_position o ON o.wallet_id = p.account_login AND o.status = 'OPEN'
WHERE p.status = 1 AND (%(ids)s::bigint[] IS NULL OR p.id = ANY (%(ids)s::bigint[]))
"""  # noqa: S608 (a constant is filled in)
_DAYS = """
SELECT phase_id, (daily_start_equity * 1000000)::bigint FROM prop_dailysnapshot
WHERE phase_id = ANY (%s::bigint[]) ORDER BY phase_id, local_date
"""
_SNAPSHOTS_OF_DAY = """
SELECT s.phase_id, (s.daily_start_equity * 1000000)::bigint,
  (s.daily_start_balance * 1000000)::bigint
FROM prop_dailysnapshot s
JOIN unnest(%s::bigint[], %s::date[]) AS n (phase_id, day)
  ON n.phase_id = s.phase_id AND n.day = s.local_date
"""
_CHANGED = """
SELECT p.id, a.last_seq, a.updated_at FROM prop_challengephase p
JOIN wallets_firmaccount a ON a.wallet_id = p.account_login
WHERE p.status = 1 AND a.updated_at > %s
"""


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """An active phase as it is stored; `day` is that of its newest snapshot."""

    phase_id: int
    challenge_id: int
    login: int
    customer_id: int
    phase_index: int
    terms_hash: str
    start_time: int
    peak_equity: int
    end_of_day_peak: int
    trading_days: int
    last_fill_at: int
    last_metric_at: int
    warned: dict[str, str] | None
    day: date | None
    day_start_equity: int | None
    day_start_balance: int | None
    written_equity: int | None
    written_balance: int | None


@dataclass(frozen=True, slots=True)
class PhaseTerms:
    """Terms with the zone of their days."""

    terms: Terms
    zone_name: str


@dataclass(slots=True)
class Accounts:
    """Accounts of phases at one moment; `holdings` are (phase, outcome, quantity, cost)."""

    # phase id -> (cash, trading days by fills, last own fill)
    cash: dict[int, tuple[int, int, int]]
    holdings: list[tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """Where the price of an outcome is found, and what its exposure counts to."""

    outcome_id: int
    index: int
    condition_id: str
    market_id: int
    event_id: int | None


def load_phases(phase_ids: Sequence[int] | None = None) -> list[PhaseRow]:
    """Active phases of active challenges, all of them or those with these ids."""
    rows = _fetch(_PHASES, {"ids": _ids(phase_ids)})
    return [PhaseRow(*(*row[:12], _object(row[12]), *row[13:])) for row in rows]


def load_terms(phase_ids: Sequence[int] | None = None) -> dict[str, PhaseTerms]:
    """The distinct terms of active phases, by their hash."""
    found = {}
    for terms_hash, data in _fetch(_TERMS, {"ids": _ids(phase_ids)}):
        values = _object(data) or {}
        found[terms_hash] = PhaseTerms(Terms.from_data(values), str(values["timezone"]))
    return found


def load_accounts(phase_ids: Sequence[int] | None = None) -> Accounts:
    """Cash, own fills and holdings of active phases' accounts, of one moment."""
    accounts = Accounts({}, [])
    for phase_id, outcome_id, first, second, third in _fetch(_ACCOUNTS, {"ids": _ids(phase_ids)}):
        if outcome_id:
            accounts.holdings.append((phase_id, outcome_id, first, second))
        else:
            accounts.cash[phase_id] = (first, second, third)
    return accounts


def load_day_starts(phase_ids: Sequence[int]) -> dict[int, list[int]]:
    """Start equities of all days of these phases, oldest first."""
    found: dict[int, list[int]] = {}
    for phase_id, equity in _fetch(_DAYS, [array_text(phase_ids)]):
        found.setdefault(phase_id, []).append(equity)
    return found


def load_started_days(phase_ids: Sequence[int], days: Sequence[date]) -> dict[int, tuple[int, int]]:
    """(start equity, start balance) of these phases' snapshots of these days."""
    rows = _fetch(_SNAPSHOTS_OF_DAY, [array_text(phase_ids), list(days)])
    return {phase_id: (equity, balance) for phase_id, equity, balance in rows}


def load_outcomes(outcome_ids: Sequence[int]) -> list[OutcomeRow]:
    """Outcomes with their markets."""
    rows = Outcome.objects.filter(pk__in=outcome_ids).values_list(
        "pk", "index", "market__condition_id", "market_id", "market__event_id"
    )
    return [OutcomeRow(*row) for row in rows]


def load_results(market_ids: Sequence[int]) -> dict[int, list[str]]:
    """The newest result of those of these markets that have one: payouts as decimal text."""
    rows = MarketResolution.objects.filter(market_id__in=market_ids).order_by("version")
    return dict(rows.values_list("market_id", "payouts"))


def find_changed_accounts(since: datetime) -> dict[int, tuple[int, datetime]]:
    """Active phases whose account changed after `since`, each with what tells states apart."""
    return {phase_id: (seq, at) for phase_id, seq, at in _fetch(_CHANGED, [since])}


def find_phases_of(logins: Sequence[int]) -> list[int]:
    """Ids of the active phases on these accounts."""
    query = "SELECT id FROM prop_challengephase WHERE status = 1 AND account_login = ANY (%s)"
    return [row[0] for row in _fetch(query, [list(logins)])]


def count_active() -> tuple[int, int]:
    """How many phases are active, and the sum of their ids: two that differ are told apart."""
    query = (
        "SELECT count(*), COALESCE(sum(p.id), 0)::bigint FROM prop_challengephase p"
        " JOIN prop_challenge c ON c.id = p.challenge_id AND c.status = 1 WHERE p.status = 1"
    )
    count, total = _fetch(query, [])[0]
    return count, total


def list_active_ids() -> list[int]:
    """Ids of all active phases of active challenges."""
    query = (
        "SELECT p.id FROM prop_challengephase p"
        " JOIN prop_challenge c ON c.id = p.challenge_id AND c.status = 1 WHERE p.status = 1"
    )
    return [row[0] for row in _fetch(query, [])]


def _fetch(query: str, parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def _ids(phase_ids: Sequence[int] | None) -> str | None:
    return None if phase_ids is None else array_text(phase_ids)


def _object(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
