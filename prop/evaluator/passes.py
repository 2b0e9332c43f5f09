"""One look at a firm's phases: what changed, new days, verdicts, warnings, what is stored.

The same code judges after a fill, after a tick and in the full pass; they differ only in which
rows are looked at. The order is the contract's: the day's first snapshot before any rule (6.4),
then the rules (6.2), then snapshots and metrics (6.5).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
from django.db import DatabaseError, transaction

from prop.evaluator.book import PhaseBook
from prop.evaluator.loading import load_started_days
from prop.evaluator.telling import tell_metrics
from prop.evaluator.warning import warn_trader
from prop.evaluator.writing import (
    METRIC_EVERY_S,
    MetricColumns,
    write_fills,
    write_metrics,
    write_peaks,
)
from prop.rules import DECIDE, WARN, Reading, Verdict, evaluate
from prop.rules.columns import Column, Mask, column
from prop.services.evidence import Evidence, Held
from prop.services.snapshots import DayColumns, begin_days, update_days
from prop.services.verdicts import Decision, write_verdicts

logger = logging.getLogger(__name__)

# So many rows of a table are written in one pass; the others come with the next ones, those that
# waited longest first. Only installations with more active phases than this notice.
ROWS_WRITTEN_MAX = 10_000
VERDICTS_AT_ONCE = 200


@dataclass(slots=True)
class PassReport:
    """What one pass did."""

    evaluated: int = 0
    decided: list[int] = field(default_factory=list)
    warned: int = 0
    days_begun: int = 0
    metrics: int = 0
    days_updated: int = 0


def run_pass(
    book: PhaseBook, *, now: datetime, stale_after_s: int, rows: Column | None = None
) -> PassReport:
    """Judge all phases of the book (`rows` None), or only those rows that changed.

    Fills and marks were brought in before. `now` is the moment of all that is written.
    """
    report = PassReport()
    arrays = book.arrays
    if not book.phase_count:
        return report
    is_full = rows is None
    reading = arrays.read(at=int(now.timestamp()), stale_after=stale_after_s)
    report.days_begun = _begin_days(book, reading, now)
    if report.days_begun:
        reading = arrays.read(at=reading.at, stale_after=stale_after_s)
    looked_at = _mask(book, rows)
    report.evaluated = int(looked_at.sum())
    _note_extremes(book, reading)
    _write_peaks(book)
    reading = _decide(book, reading, looked_at, stale_after_s, now, report)
    _save_fills(book)
    if is_full:
        report.days_updated = _update_days(book, reading, now)
        report.metrics = _write_metrics(book, reading, now)
    return report


def _mask(book: PhaseBook, rows: Column | None) -> Mask:
    """Which rows are looked at: active ones, all or those given."""
    is_active = book.arrays.is_active[: book.arrays.count]
    if rows is None:
        return is_active.copy()
    mask = np.zeros(book.arrays.count, dtype=np.bool_)
    mask[rows] = True
    return mask & is_active


# --- Days ---------------------------------------------------------------------------------------
def _begin_days(book: PhaseBook, reading: Reading, now: datetime) -> int:
    """The snapshot of a local date that begins, with the values of this pass."""
    arrays, count = book.arrays, book.arrays.count
    is_due = (book.day_ends[:count] <= reading.at) & arrays.is_active[:count]
    rows = np.flatnonzero(is_due)
    if not len(rows):
        return 0
    days = [book.date_of(row, reading.at) for row in rows.tolist()]
    equities, balances = reading.equity[rows], arrays.balances()[rows]
    ids = arrays.ids[rows].tolist()
    begun = begin_days(
        days=DayColumns(
            phase_ids=ids, days=days, balances=balances.tolist(), equities=equities.tolist()
        ),
        now=now,
    )
    if begun < len(ids):
        # Somebody began these days before: theirs are the values that count.
        started = load_started_days(ids, days)
        rows, days, equities, balances = _as_started(book, rows, days, started)
    arrays.warned[rows] = 0
    arrays.start_day(rows, equities, balances)
    _count_snapshot_days(book, rows)
    book.set_days(rows, days)
    book.written_equity[rows], book.written_balance[rows] = equities, balances
    book.forget_extremes(rows)
    return len(rows)


def _as_started(
    book: PhaseBook, rows: Column, days: Sequence[date], started: dict[int, tuple[int, int]]
) -> tuple[Column, list[date], Column, Column]:
    """The rows that have a snapshot of their day, with its values; the others are over."""
    kept = [
        (row, day, *started[phase_id])
        for row, day in zip(rows.tolist(), days, strict=True)
        if (phase_id := int(book.arrays.ids[row])) in started
    ]
    return (
        column([row for row, *_ in kept]),
        [day for _, day, _, _ in kept],
        column([equity for _, _, equity, _ in kept]),
        column([balance for *_, balance in kept]),
    )


def _count_snapshot_days(book: PhaseBook, rows: Column) -> None:
    """In mode `snapshots` every snapshot is a trading day (6.1)."""
    arrays = book.arrays
    for row in rows.tolist():
        if arrays.terms_of(row).trading_days_mode == "snapshots":
            arrays.set_account(
                row,
                cash=int(arrays.cash[row]),
                trading_days=int(arrays.trading_days[row]) + 1,
                last_fill_at=int(arrays.last_fill_at[row]),
            )


def _note_extremes(book: PhaseBook, reading: Reading) -> None:
    count = book.arrays.count
    np.minimum(book.lowest[:count], reading.equity, out=book.lowest[:count])
    np.maximum(book.highest[:count], reading.equity, out=book.highest[:count])


def _update_days(book: PhaseBook, reading: Reading, now: datetime) -> int:
    """Present values and extremes of the days of rows that changed since they were written."""
    arrays, count = book.arrays, book.arrays.count
    balances = arrays.balances()
    changed = reading.equity != book.written_equity[:count]
    changed |= balances != book.written_balance[:count]
    # An extreme that came and went between two full passes.
    changed |= book.lowest[:count] < np.minimum(reading.equity, book.written_equity[:count])
    changed |= book.highest[:count] > np.maximum(reading.equity, book.written_equity[:count])
    rows = np.flatnonzero(changed & arrays.is_active[:count] & (book.day[:count] > 0))
    rows = book.longest_unwritten(rows, ROWS_WRITTEN_MAX)
    if not len(rows):
        return 0
    equities, balances = reading.equity[rows], balances[rows]
    written = update_days(
        days=DayColumns(
            phase_ids=arrays.ids[rows].tolist(),
            days=[date.fromordinal(day) for day in book.day[rows].tolist()],
            balances=balances.tolist(),
            equities=equities.tolist(),
            lowest=book.lowest[rows].tolist(),
            highest=book.highest[rows].tolist(),
        ),
        now=now,
    )
    book.written_equity[rows], book.written_balance[rows] = equities, balances
    book.written_at[rows] = reading.at
    book.forget_extremes(rows)
    return written


def _write_peaks(book: PhaseBook) -> None:
    """Peaks that moved are stored at once: a floor that trails them must not fall back."""
    arrays, count = book.arrays, book.arrays.count
    moved = arrays.peak_equity[:count] > book.written_peak[:count]
    rows = np.flatnonzero(moved & arrays.is_active[:count])
    if not len(rows):
        return
    is_daily = column(
        [arrays.terms_of(row).drawdown_mode == "trailing_eod" for row in rows.tolist()]
    )
    for chosen, is_end_of_day in ((rows[is_daily == 0], False), (rows[is_daily == 1], True)):
        if len(chosen):
            write_peaks(
                ids=arrays.ids[chosen],
                peaks=arrays.peak_equity[chosen],
                is_end_of_day=is_end_of_day,
            )
    book.written_peak[rows] = arrays.peak_equity[rows]


def _save_fills(book: PhaseBook) -> None:
    ids = sorted(book.unsaved_fills & book.phase_ids())
    if not ids:
        return
    rows = column([book.arrays.row_of(phase_id) for phase_id in ids])
    write_fills(
        ids=column(ids),
        trading_days=book.arrays.trading_days[rows],
        last_fill_at=book.arrays.last_fill_at[rows],
    )
    book.unsaved_fills.clear()


# --- Verdicts -----------------------------------------------------------------------------------
def _decide(
    book: PhaseBook,
    reading: Reading,
    looked_at: Mask,
    stale_after_s: int,
    now: datetime,
    report: PassReport,
) -> Reading:
    """Judge the rows that a rule may end or that are to be warned; answers the newest reading."""
    arrays = book.arrays
    wanted = np.where(looked_at, reading.attention, 0)
    candidates = np.flatnonzero(wanted & DECIDE)
    ids = arrays.ids[candidates].tolist()
    if ids:
        # A fill may have been booked since the marks were read: no verdict on shares that are gone.
        book.refresh(ids)
        reading = arrays.read(at=reading.at, stale_after=stale_after_s)
    decisions = []
    for phase_id in ids:
        row = arrays.row_of(phase_id)
        if row is None:
            continue
        decision = _judge(book, row, reading, stale_after_s)
        if decision is not None:
            decisions.append(decision)
    over = _write(decisions, now)
    for decision in decisions:
        if decision.phase_id in over:
            book.remove(decision.phase_id)
    report.decided += sorted(over)
    for row in np.flatnonzero(wanted & WARN).tolist():
        if arrays.is_active[row] and reading.attention[row] & WARN:
            report.warned += _warn(book, row, reading, now)
    return reading


def _judge(book: PhaseBook, row: int, reading: Reading, stale_after_s: int) -> Decision | None:
    terms, measures = book.arrays.terms_of(row), book.arrays.measures(row, reading)
    verdict: Verdict = evaluate(terms, measures)
    if not verdict.is_final:
        return None
    return Decision(
        phase_id=int(book.arrays.ids[row]),
        verdict=verdict,
        evidence=Evidence(
            terms=terms,
            measures=measures,
            cash=int(book.arrays.cash[row]),
            positions=_held(book, row, reading),
            stale_after_s=stale_after_s,
        ),
    )


def _held(book: PhaseBook, row: int, reading: Reading) -> tuple[Held, ...]:
    positions = book.arrays.positions
    found = []
    for token, quantity, cost, mark in positions.holdings(row):
        outcome = book.outcomes[token]
        held = Held(
            condition_id=outcome.condition_id,
            outcome_index=outcome.index,
            quantity=quantity,
            cost=cost,
            mark=mark,
            # A result has no age.
            marked_at=min(int(positions.marked_at[token]), reading.at) if mark is not None else 0,
        )
        found.append(held)
    return tuple(found)


def _write(decisions: Sequence[Decision], now: datetime) -> set[int]:
    """Write verdicts in few transactions; answers the phases that are over in the database.

    One that cannot be written now is tried again by the next pass, and holds up no other.
    """
    over: set[int] = set()
    for first in range(0, len(decisions), VERDICTS_AT_ONCE):
        batch = decisions[first : first + VERDICTS_AT_ONCE]
        try:
            write_verdicts(decisions=batch, now=now)
            over |= {decision.phase_id for decision in batch}
        except DatabaseError:
            logger.exception("Verdicts of %s phases are written one by one.", len(batch))
            over |= {one.phase_id for one in batch if _write_one(one, now)}
    return over


def _write_one(decision: Decision, now: datetime) -> bool:
    try:
        with transaction.atomic():
            write_verdicts(decisions=[decision], now=now)
    except DatabaseError:
        logger.exception("The verdict on phase %s waits.", decision.phase_id)
        return False
    return True


def _warn(book: PhaseBook, row: int, reading: Reading, now: datetime) -> int:
    terms, measures = book.arrays.terms_of(row), book.arrays.measures(row, reading)
    verdict = evaluate(terms, measures)
    day = book.date_of(row, reading.at)
    told = 0
    for warning in verdict.warnings:
        told += warn_trader(phase_id=int(book.arrays.ids[row]), warning=warning, day=day, now=now)
        book.arrays.mark_warned(row, warning.rule)
    return told


# --- Metrics ------------------------------------------------------------------------------------
def _write_metrics(book: PhaseBook, reading: Reading, now: datetime) -> int:
    """A tick of each phase whose challenge had none for 60 s."""
    arrays, count = book.arrays, book.arrays.count
    is_due = book.metric_at[:count] + METRIC_EVERY_S <= reading.at
    rows = np.flatnonzero(is_due & arrays.is_active[:count])
    if len(rows) > ROWS_WRITTEN_MAX:
        rows = rows[np.argsort(book.metric_at[rows], kind="stable")[:ROWS_WRITTEN_MAX]]
    if not len(rows):
        return 0
    equity = reading.equity[rows]
    shown = arrays.percents(rows, equity)
    values = {
        "equity": equity,
        "balance": arrays.balances()[rows],
        "profit": shown.profit,
        "daily_loss": shown.daily_loss,
        "total_loss": shown.total_loss,
        "daily_profit": shown.daily_profit,
        "trading_days": arrays.trading_days[rows],
        "open_positions": arrays.open_positions[rows],
        "day_start": arrays.day_start_equity[rows],
    }
    metrics = MetricColumns(arrays.ids[rows].tolist(), values)
    written = write_metrics(metrics=metrics, now=now)
    stored = np.isin(arrays.ids[rows], column(list(written)))
    book.metric_at[rows[stored]] = reading.at
    # Others had one meanwhile, from whoever it was: the time is asked for again in a moment.
    book.metric_at[rows[~stored]] = reading.at - METRIC_EVERY_S + 5
    tell_metrics(book, rows[stored], metrics=written, now=now)
    return len(written)
