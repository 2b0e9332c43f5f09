"""Celery's door to settlement, measures and equity points: per building one service."""

import logging

from celery import shared_task
from django.conf import settings

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import ServiceUnavailable
from polysim.kernel.tenancy import enter_building
from tenants.selectors import list_schemas
from trading.services.equity import record_building_equity
from trading.services.measures import measure_accounts
from trading.services.settlement import settle_resolved_positions

logger = logging.getLogger(__name__)


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
