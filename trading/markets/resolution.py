"""Results: which markets are asked about, when a result counts, and how it is written.

A result is final when Gamma shows it by the rule of polymarket-feed 7 and the CLOB does not
contradict it. Each result is a version of `MarketResolution`; a correction is an operator's new
version. `trading` settles on the signal `market_resolved`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import redis
import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q

from polysim.kernel.clock import to_milliseconds
from polysim.kernel.errors import NotFound, ValidationFailed
from polysim.kernel.redis import get_redis, key
from tenants.models import User
from trading.markets.catalogue import held_condition_ids, refresh_markets
from trading.markets.catalogue_news import RESOLVED, publish_news
from trading.markets.catalogue_store import lock_catalogue
from trading.markets.models import Market, MarketResolution, Outcome
from trading.markets.polymarket import rest
from trading.markets.polymarket.gamma import (
    SETTLED_VECTORS,
    GammaMarket,
    Payouts,
    Verdict,
    clob_verdict,
    settled_payouts,
)
from trading.markets.polymarket.http import (
    VenueClient,
    VenueError,
    VenueNotFoundError,
)
from trading.markets.signals import market_resolved

#: A market just past its end is asked about at every poll for this long, later every 5 minutes.
EAGER_FOR: Final = timedelta(minutes=30)
PATIENT_EVERY: Final = timedelta(minutes=5)
NEARLY_CERTAIN: Final = Decimal("0.99")
NEARLY_IMPOSSIBLE: Final = Decimal("0.01")
#: Markets per poll; the rest waits for the next one, those asked longest ago first.
MAX_PER_POLL: Final = 1_000
HINTS_KEPT_S: Final = 86_400

SOURCE_GAMMA: Final = "gamma"
SOURCE_BOTH: Final = "gamma+clob"
SOURCE_OPERATOR: Final = "operator"

logger = structlog.get_logger(__name__)


@dataclass(slots=True)
class PollReport:
    """What a poll asked and wrote. `disputed_by_clob`: results that wait for an operator."""

    asked: int = 0
    resolved: list[str] = field(default_factory=list)
    disputed_by_clob: list[str] = field(default_factory=list)
    unanswered: int = 0


def poll_resolutions(*, client: VenueClient, now: datetime) -> PollReport:
    """Ask Gamma about every market that is due and write the results it shows.

    Raises a VenueError when Gamma does not answer; results found before stay written.
    """
    report = PollReport()
    due = markets_to_poll(now=now)
    for start in range(0, len(due), rest.BATCH_SIZE):
        batch = due[start : start + rest.BATCH_SIZE]
        rows = refresh_markets(batch, client=client, now=now)
        report.asked += len(batch)
        report.unanswered += len(batch) - len(rows)
        _note_polled(batch, now=now)
        for row in rows:
            _settle_row(row, client=client, now=now, report=report)
    if due:
        logger.info(
            "resolutions_polled",
            asked=report.asked,
            resolved=len(report.resolved),
            disputed_by_clob=report.disputed_by_clob,
            unanswered=report.unanswered,
        )
    return report


def markets_to_poll(*, now: datetime) -> list[str]:
    """Condition ids that are due: ended, closed, nearly decided and held, or named by a frame.

    Asked longest ago comes first; at most `MAX_PER_POLL`.
    """
    hinted = _take_hints()
    held = held_condition_ids()
    nearly_decided = Q(stats__price__gte=NEARLY_CERTAIN) | Q(stats__price__lte=NEARLY_IMPOSSIBLE)
    candidates = (
        Market.objects.filter(
            ~Exists(MarketResolution.objects.filter(market=OuterRef("pk"))),
        )
        .filter(
            Q(ends_at__lte=now)
            | Q(is_closed=True)
            | (nearly_decided & Q(condition_id__in=held))
            | Q(condition_id__in=hinted)
        )
        .order_by(F("ends_at").desc(nulls_last=True))
        .values_list("condition_id", "ends_at", "closed_at", "is_closed")[: 10 * MAX_PER_POLL]
    )
    polled = _last_polled()
    due: list[tuple[int, str]] = []
    for condition_id, ends_at, closed_at, is_closed in candidates:
        last_ms = polled.get(condition_id, 0)
        began = _poll_begins(ends_at, closed_at if is_closed else None, now=now)
        if condition_id in hinted or _is_due(began, last_ms, now=now):
            due.append((last_ms, condition_id))
    due.sort()
    return [condition_id for _last_ms, condition_id in due[:MAX_PER_POLL]]


def _poll_begins(
    ends_at: datetime | None, closed_at: datetime | None, *, now: datetime
) -> datetime | None:
    """The latest moment that started a phase of eager polling; None: only the price says so."""
    past = [moment for moment in (ends_at, closed_at) if moment is not None and moment <= now]
    return max(past, default=None)


def _is_due(began: datetime | None, last_ms: int, *, now: datetime) -> bool:
    if began is not None and now - began <= EAGER_FOR:
        return True
    return to_milliseconds(now) - last_ms >= PATIENT_EVERY.total_seconds() * 1000


def _settle_row(
    row: GammaMarket, *, client: VenueClient, now: datetime, report: PollReport
) -> None:
    payouts = settled_payouts(row)
    if payouts is None:
        return
    verdict = _ask_clob(row, payouts, client=client)
    if verdict is Verdict.DISAGREES:
        report.disputed_by_clob.append(row.condition_id)
        logger.error(
            "result_contradicted",
            condition_id=row.condition_id,
            gamma=[str(payout) for payout in payouts],
        )
        return
    source = SOURCE_BOTH if verdict is Verdict.AGREES else SOURCE_GAMMA
    resolved_at = row.closed_at or now
    if record_result(
        condition_id=row.condition_id,
        payouts=payouts,
        source=source,
        resolved_at=resolved_at,
        now=now,
    ):
        report.resolved.append(row.condition_id)


def _ask_clob(row: GammaMarket, payouts: Payouts, *, client: VenueClient) -> Verdict:
    """The CLOB's word on a result; no answer is no contradiction."""
    tokens = row.token_ids or _stored_tokens(row.condition_id)
    try:
        payload = client.send(rest.clob_market_request(row.condition_id))
    except VenueNotFoundError:
        return Verdict.SILENT
    except VenueError as error:
        logger.warning("result_unchecked", condition_id=row.condition_id, reason=str(error))
        return Verdict.SILENT
    clob = rest.read_clob_market(payload)
    return clob_verdict(clob, token_ids=tokens, payouts=payouts)


def _stored_tokens(condition_id: str) -> tuple[str, ...]:
    tokens = Outcome.objects.filter(market__condition_id=condition_id).order_by("index")
    return tuple(tokens.values_list("token_id", flat=True))


def record_result(
    *,
    condition_id: str,
    payouts: Payouts,
    source: str,
    resolved_at: datetime,
    now: datetime,
) -> bool:
    """Write the first result of a market and close it. True when this call wrote it.

    A market that has a result already keeps it: another one from the venue is logged and waits
    for `correct_resolution`.
    """
    with transaction.atomic():
        lock_catalogue()
        market = (
            Market.objects.select_for_update(no_key=True).filter(condition_id=condition_id).first()
        )
        if market is None:
            return False
        current = market.resolutions.order_by("-version").first()
        if current is not None:
            if _as_payouts(current.payouts) != payouts:
                logger.error(
                    "result_changed_at_venue",
                    condition_id=condition_id,
                    ours=current.payouts,
                    theirs=_as_text(payouts),
                )
            return False
        _write_version(
            market, version=1, payouts=payouts, source=source, resolved_at=resolved_at, now=now
        )
    return True


def correct_resolution(
    *, condition_id: str, payouts: Sequence[Decimal], actor: User, now: datetime
) -> MarketResolution:
    """An operator's new version of a result; settlement posts reversing rows for it.

    Raises NotFound for an unknown market, ValidationFailed for payouts that are no result, for a
    market without one, or for the payouts it already has.
    """
    wanted = tuple(payouts)
    if wanted not in SETTLED_VECTORS:
        raise ValidationFailed([("payouts", "Must be 1 and 0, 0 and 1, or 0.5 and 0.5.")])
    with transaction.atomic():
        lock_catalogue()
        market = (
            Market.objects.select_for_update(no_key=True).filter(condition_id=condition_id).first()
        )
        if market is None:
            raise NotFound("There is no market with this condition id.")
        current = market.resolutions.order_by("-version").first()
        if current is None:
            raise ValidationFailed([("condition_id", "This market has no result to correct.")])
        if _as_payouts(current.payouts) == wanted:
            raise ValidationFailed([("payouts", "The market already has this result.")])
        resolution = _write_version(
            market,
            version=current.version + 1,
            payouts=(wanted[0], wanted[1]),
            source=SOURCE_OPERATOR,
            resolved_at=now,
            now=now,
            actor=actor,
        )
        logger.warning(
            "result_corrected",
            condition_id=condition_id,
            version=resolution.version,
            former=current.payouts,
            payouts=resolution.payouts,
            actor=str(actor),
        )
    return resolution


def _write_version(
    market: Market,
    *,
    version: int,
    payouts: Payouts,
    source: str,
    resolved_at: datetime,
    now: datetime,
    actor: User | None = None,
) -> MarketResolution:
    resolution = MarketResolution.objects.create(
        market=market,
        version=version,
        payouts=_as_text(payouts),
        source=source,
        resolved_at=resolved_at,
        actor=actor,
        created_at=now,
    )
    market.is_closed = True
    market.is_accepting_orders = False
    market.closed_at = market.closed_at or resolved_at
    market.updated_at = now
    market.save(update_fields=["is_closed", "is_accepting_orders", "closed_at", "updated_at"])
    transaction.on_commit(
        lambda: _tell(market.pk, market.condition_id, version=resolution.version, now=now)
    )
    return resolution


def _tell(market_id: int, condition_id: str, *, version: int, now: datetime) -> None:
    publish_news(RESOLVED, [condition_id])
    market_resolved.send(sender=Market, market_id=market_id, version=version, now=now)


def _as_text(payouts: Payouts) -> list[str]:
    """`["1", "0"]`: plain decimal text without trailing zeros."""
    return [format(payout.normalize(), "f") for payout in payouts]


def _as_payouts(stored: Sequence[str]) -> tuple[Decimal, ...]:
    return tuple(Decimal(payout) for payout in stored)


def hint_resolution(condition_ids: Iterable[str]) -> None:
    """Ask about these markets at the next poll (`market_resolved` frames, 5.5)."""
    listed = list(condition_ids)
    if not listed:
        return
    try:
        pipeline = get_redis().pipeline(transaction=False)
        pipeline.sadd(_hints_key(), *listed)
        pipeline.expire(_hints_key(), HINTS_KEPT_S)
        pipeline.execute()
    except redis.RedisError:
        logger.warning("resolution_hint_lost", markets=len(listed))


def _hints_key() -> str:
    return key("resolution", "hints")


def _polled_key() -> str:
    return key("resolution", "polled")


def _take_hints() -> set[str]:
    try:
        taken = get_redis().spop(_hints_key(), MAX_PER_POLL)
    except redis.RedisError:
        return set()
    return {str(condition_id) for condition_id in taken or ()}


def _last_polled() -> dict[str, int]:
    """When each market was asked about last (unix ms); empty without Valkey: ask all."""
    try:
        entries: Any = get_redis().zrange(_polled_key(), 0, -1, withscores=True)
    except redis.RedisError:
        return {}
    return {str(condition_id): int(score) for condition_id, score in entries}


def _note_polled(condition_ids: Sequence[str], *, now: datetime) -> None:
    now_ms = to_milliseconds(now)
    try:
        pipeline = get_redis().pipeline(transaction=False)
        pipeline.zadd(_polled_key(), dict.fromkeys(condition_ids, now_ms))
        pipeline.zremrangebyscore(_polled_key(), 0, now_ms - 3_600_000)
        pipeline.execute()
    except redis.RedisError:
        return
