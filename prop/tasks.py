"""Celery's door to challenges: enter each building, call one service."""

import logging
import time
from collections.abc import Sequence

from celery import shared_task

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import enter_building
from prop.evaluator.shard import Shard
from prop.services import watching
from prop.services.account_rules import evaluate_accounts as evaluate_in_building
from prop.services.activation import resume_purchases as resume_in_building
from prop.services.jobs import ORDINARY_KINDS, PAYOUT_KINDS, run_due_jobs
from prop.services.mails import mail_due_events
from prop.services.simulations import resend_lost_simulations as resend_in_building
from prop.services.simulations import run_simulation as run_in_building
from tenants.selectors import list_rule_engine_schemas, list_schemas

logger = logging.getLogger(__name__)


@shared_task(name="prop.resume_purchases", ignore_result=True)
def resume_purchases() -> None:
    """Go on with purchases whose process died between two steps. Safe to repeat."""
    for schema in list_schemas():
        with enter_building(schema):
            resumed = resume_in_building(now=utc_now())
        if resumed:
            logger.info("Resumed %s purchases in %s.", resumed, schema)


@shared_task(name="prop.tasks.run_jobs", ignore_result=True)
def run_jobs(schema: str) -> None:
    """Run what is due in one building, payouts excepted. Sent on commit; safe to repeat."""
    _run_all(schema, ORDINARY_KINDS)


@shared_task(name="prop.tasks.run_payouts", ignore_result=True)
def run_payouts(schema: str) -> None:
    """Book the approved payouts of one building. Sent on commit; safe to repeat."""
    _run_all(schema, PAYOUT_KINDS)


@shared_task(name="prop.tasks.sweep_jobs", ignore_result=True)
def sweep_jobs() -> None:
    """Run what is due in all buildings: repeats, and jobs whose message or worker was lost."""
    for schema in list_schemas():
        _run_all(schema, ORDINARY_KINDS)


@shared_task(name="prop.tasks.sweep_payouts", ignore_result=True)
def sweep_payouts() -> None:
    """Book what is approved in all buildings."""
    for schema in list_schemas():
        _run_all(schema, PAYOUT_KINDS)


@shared_task(name="prop.tasks.mail_events", ignore_result=True)
def mail_events(schema: str) -> None:
    """Mail the events of one building that were not mailed yet. Sent on commit; safe to repeat."""
    with enter_building(schema):
        mail_due_events(now=utc_now())


@shared_task(name="prop.tasks.sweep_mails", ignore_result=True)
def sweep_mails() -> None:
    """Mail what is due in all buildings: events whose message or worker was lost."""
    for schema in list_schemas():
        try:
            mail_events(schema)
        except OSError as error:
            logger.warning("Mails of %s wait: %s", schema, error)


@shared_task(name="prop.tasks.run_simulation", ignore_result=True)
def run_simulation(schema: str, simulation_id: int) -> None:
    """Try a program on simulated traders. Safe to repeat: a run that is over stays as it is."""
    with enter_building(schema):
        run_in_building(simulation_id=simulation_id, clock=utc_now)


@shared_task(name="prop.tasks.sweep_simulations", ignore_result=True)
def sweep_simulations() -> None:
    """Send simulations again whose message or worker was lost."""
    for schema in list_schemas():
        with enter_building(schema):
            resend_in_building(now=utc_now())


def _run_all(schema: str, kinds: Sequence[str]) -> None:
    with enter_building(schema):
        while run_due_jobs(now=utc_now(), kinds=kinds).claimed:
            pass


# What this process holds of each shard; a process that serves none holds nothing.
_shards: dict[int, Shard] = {}
# A message comes every second; within it prices and fills are looked at so often.
LOOKS_PER_MESSAGE = 4
LOOK_EVERY_S = 0.2


@shared_task(name="prop.tasks.evaluate_changed", ignore_result=True)
def evaluate_changed(shard: int) -> None:
    """Judge the accounts of a shard whose holdings or prices change within this second."""
    mine = _shard(shard)
    for look in range(LOOKS_PER_MESSAGE):
        if look:
            time.sleep(LOOK_EVERY_S)
        if not mine.evaluate_changed(now=utc_now()).is_owner:
            return


@shared_task(name="prop.tasks.evaluate_all", ignore_result=True)
def evaluate_all(shard: int) -> None:
    """The full pass over a shard's firms."""
    _shard(shard).evaluate_all(now=utc_now())


@shared_task(name="prop.tasks.evaluate_accounts", ignore_result=True)
def evaluate_accounts() -> None:
    """Judge the firms' own accounts whose rules name Polysim's engine; safe to repeat."""
    for schema in list_rule_engine_schemas():
        with enter_building(schema):
            done = evaluate_in_building(now=utc_now())
        if done.ended:
            logger.info("The rules of %s accounts in %s decided.", done.ended, schema)


@shared_task(name="prop.tasks.watch_evaluator", ignore_result=True)
def watch_evaluator() -> None:
    """Say it loudly when phases are active and nobody evaluates them."""
    for trouble in watching.watch_evaluator(now=utc_now()):
        logger.error("%s", trouble)


def _shard(number: int) -> Shard:
    if number not in _shards:
        _shards[number] = Shard(number, clock=utc_now)
    return _shards[number]
