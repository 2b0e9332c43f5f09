"""Celery's door to challenges: enter each building, call one service."""

import logging

from celery import shared_task

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from prop.services.activation import resume_purchases as resume_in_building
from tenants.selectors import list_schemas

logger = logging.getLogger(__name__)


@shared_task(name="prop.resume_purchases", ignore_result=True)
def resume_purchases() -> None:
    """Go on with purchases whose process died between two steps. Safe to repeat."""
    for schema in list_schemas():
        with enter_building(schema):
            resumed = resume_in_building(now=utc_now())
        if resumed:
            logger.info("Resumed %s purchases in %s.", resumed, schema)
