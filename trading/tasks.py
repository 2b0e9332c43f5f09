"""Celery's door to settlement, measures and equity points: per building one service."""

import logging
import time
from uuid import UUID

from celery import shared_task
from django.conf import settings

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.tenancy import enter_building
from tenants.selectors import list_sandbox_schemas, list_schemas
from trading.selectors.clocks import list_clocks_with_work
from trading.services.equity import record_building_equity
from trading.services.measures import measure_accounts
from trading.services.settlement import settle_resolved_positions
from trading.services.test_clocks import step_clock, work_orders

logger = logging.getLogger(__name__)

# One worker carries a test clock so long, then the sweep hands it on.
CLOCK_TURN_S = 60.0


@shared_task(name="trading.tasks.settle_resolved_markets", ignore_result=True)
def settle_resolved_markets() -> None:
    """Pay the positions of all buildings whose markets have a result. Safe to repeat."""
    for schema in list_schemas():
        with enter_building(schema):
            report = settle_resolved_positions(now=utc_now())
        if report.settled or report.waiting:
            logger.info("Settled %s positions in %s.", report.settled, schema)


@shared_task(name="trading.tasks.record_equity_points", ignore_result=True)
def record_equity_points() -> None:
    """Refresh the current hour's equity point of every active wallet in every building."""
    for schema in list_schemas():
        try:
            with enter_building(schema):
                record_building_equity(now=utc_now())
        except ServiceUnavailable as error:
            logger.warning("Equity of %s was not recorded: %s", schema, error)


@shared_task(name="trading.tasks.measure_firm_accounts", ignore_result=True)
def measure_firm_accounts() -> None:
    """Peak equity, drawdowns and days of all firm accounts (partner-api 5); safe to repeat."""
    for schema in list_schemas():
        if schema != settings.RETAIL_SCHEMA:
            with enter_building(schema):
                measure_accounts(now=utc_now())


@shared_task(name="trading.tasks.advance_test_clock", ignore_result=True)
def advance_test_clock(schema: str, clock_id: str) -> None:
    """Carry a test clock to its target, moment by moment; safe to repeat and to interrupt."""
    ends = time.monotonic() + CLOCK_TURN_S
    with enter_building(schema):
        while time.monotonic() < ends and step_clock(clock_id=UUID(clock_id), now=utc_now()):
            pass


@shared_task(name="trading.tasks.run_test_clocks", ignore_result=True)
def run_test_clocks() -> None:
    """Orders that rest on test clocks, and clocks whose worker was lost; sandbox firms only."""
    for schema in list_sandbox_schemas():
        with enter_building(schema):
            for clock_id, is_advancing in list_clocks_with_work():
                if is_advancing:
                    advance_test_clock.apply_async([schema, str(clock_id)], expires=5)
                    continue
                try:
                    work_orders(clock_id=clock_id, now=utc_now())
                except ServiceUnavailable as error:
                    logger.warning("Orders on clock %s wait: %s", clock_id, error)
