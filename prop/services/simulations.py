"""Trying a program on simulated traders (`prop.simulator`): start, run, stop.

A run is a row with copied terms, seed and parameters, so a repeat gives the same report. A worker
claims the row, says how far it is, and starts from the beginning when an earlier worker died.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from kombu.exceptions import KombuError

from polysim.kernel.errors import ValidationFailed
from polysim.kernel.money import to_scaled
from polysim.kernel.tenancy import require_building
from prop.errors import StateConflict
from prop.models import Program, Simulation
from prop.selectors.price_recordings import list_recordings
from prop.selectors.simulations import (
    LOST_AFTER,
    find_simulation,
    list_lost_simulations,
)
from prop.services.purchases import find_program
from prop.services.terms import copy_terms
from prop.simulator import (
    BEHAVIOURS,
    DEFAULT_MIX,
    Plan,
    World,
    demo_world,
    make_report,
    recorded_world,
    simulate,
)
from prop.simulator.plan import fee_of
from tenants.office.services import Actor, write_firm_audit

logger = logging.getLogger(__name__)

TRADERS = (100, 20_000)
DAYS = (5, 120)
SEEDS = (0, 2**31 - 1)
WEIGHTS = (0, 100)
DEMO, RECORDED = "demo", "recorded"
PATHS = (DEMO, RECORDED)
DEFAULTS: Mapping[str, Any] = {"traders": 2_000, "days": 60, "seed": 1, "paths": DEMO}
# Percents between two updates of the row.
PROGRESS_STEP = 2
RUN_TASK = "prop.tasks.run_simulation"
# What of a program decides a run; a step's own row and name do not.
DECIDING_SETTINGS = ("price", "price_currency", "timezone", "trading_days_mode")
ROW_FIELDS = ("id", "name", "created_time", "updated_time")
PROGRAM_GONE = "The program was deleted."


class NoSteps(StateConflict):
    """The program has no steps that could be simulated."""

    message = "The program has no steps yet."


class NoRecordings(StateConflict):
    """No price history is stored here, and no recordings are installed."""

    message = "There are no recorded prices here yet. Use demo prices."


class _Stopped(Exception):
    """The row is no longer this worker's: the run was stopped, or its program is gone."""


def read_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """The whole parameters of a run; absent ones are the defaults.

    Raises ValidationFailed naming every field that is out of its bounds.
    """
    wrong: list[tuple[str, str]] = []
    values = {**DEFAULTS, **{name: value for name, value in given.items() if value is not None}}
    for name, (least, most) in (("traders", TRADERS), ("days", DAYS), ("seed", SEEDS)):
        if not _is_whole(values[name], least, most):
            wrong.append((name, f"Give a whole number from {least:,} to {most:,}."))
    if values["paths"] not in PATHS:
        wrong.append(("paths", "Choose demo or recorded."))
    mix = dict(values.get("mix") or DEFAULT_MIX)
    for name, weight in mix.items():
        if name not in BEHAVIOURS:
            wrong.append(("mix", f"There is no behaviour {name}."))
        elif not _is_whole(weight, *WEIGHTS):
            wrong.append(("mix", f"The weight of {name} is a whole number from 0 to 100."))
    if not any(mix.values()):
        wrong.append(("mix", "At least one behaviour needs a weight."))
    if wrong:
        raise ValidationFailed(wrong)
    return {name: values[name] for name in DEFAULTS} | {"mix": mix}


def _is_whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


@transaction.atomic
def start_simulation(
    *, program_id: int, parameters: Mapping[str, Any], actor: Actor, now: datetime
) -> Simulation:
    """Queue a run over the program's terms of this moment; a worker takes it after the commit.

    Raises ProgramNotFound, ValidationFailed, NoSteps, NoRecordings.
    """
    program = find_program(program_id)
    read = read_parameters(parameters)
    terms = copy_terms(program)
    if not terms["steps"]:
        raise NoSteps()
    if read["paths"] == RECORDED and not list_recordings(until=now):
        raise NoRecordings()
    simulation = Simulation.objects.create(
        program=program,
        terms=terms,
        parameters=read,
        started_by=actor.user,
        created_at=now,
        updated_at=now,
    )
    write_firm_audit(
        actor=actor,
        action="prop.simulation.started",
        object_type="simulation",
        object_id=simulation.pk,
        now=now,
        after={"program_id": program_id, **read},
    )
    _send_on_commit(simulation.pk)
    return simulation


def stop_simulation(*, simulation_id: int, actor: Actor, now: datetime) -> Simulation:
    """End a run that waits or works; one that is over stays as it is.

    Raises NotFound.
    """
    stopped = Simulation.objects.filter(_unfinished(), pk=simulation_id).update(
        status=Simulation.Status.FAILED, error=f"Stopped by {actor.name}.", updated_at=now
    )
    if stopped:
        write_firm_audit(
            actor=actor,
            action="prop.simulation.stopped",
            object_type="simulation",
            object_id=simulation_id,
            now=now,
        )
    return find_simulation(simulation_id)


def run_simulation(*, simulation_id: int, clock: Callable[[], datetime]) -> bool:
    """Simulate a queued run, or one whose worker died, and keep its report.

    False when it is not this worker's to run: it is over, gone, or another one works on it.
    """
    if not _claim(simulation_id, clock()):
        return False
    simulation = Simulation.objects.get(pk=simulation_id)

    told = 0

    def tell(percent: int) -> None:
        nonlocal told
        if percent >= told + PROGRESS_STEP:
            told = percent
            _keep(simulation_id, clock(), progress=min(percent, 99))

    try:
        report = _simulated(
            simulation.terms, simulation.parameters, until=simulation.created_at, tell=tell
        )
        _keep(
            simulation_id,
            clock(),
            report=report,
            progress=100,
            status=Simulation.Status.DONE,
        )
    except _Stopped:
        return False
    except Exception as error:
        Simulation.objects.filter(pk=simulation_id, status=Simulation.Status.RUNNING).update(
            status=Simulation.Status.FAILED, error=f"{error}"[:500], updated_at=clock()
        )
        raise
    return True


def resend_lost_simulations(*, now: datetime) -> list[int]:
    """Send runs whose message or worker was lost again; answers their ids.

    A run that works after all refuses the second worker.
    """
    lost = list_lost_simulations(now=now)
    # Whoever waits in a long queue is not sent again and again.
    Simulation.objects.filter(pk__in=lost, status=Simulation.Status.QUEUED).update(updated_at=now)
    for simulation_id in lost:
        _send_on_commit(simulation_id)
    return lost


def has_other_terms(*, simulation: Simulation, program: Program) -> bool:
    """Whether the program's rules, deposits or price are no longer those of the run."""
    return _rules_of(simulation.terms) != _rules_of(copy_terms(program))


def _rules_of(terms: Mapping[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Terms without what changes by saving alone."""
    program = {name: terms["program"][name] for name in DECIDING_SETTINGS}
    return program, [
        {name: value for name, value in step.items() if name not in ROW_FIELDS}
        for step in terms["steps"]
    ]


def try_program(
    *,
    program_id: int,
    parameters: Mapping[str, Any],
    now: datetime,
    tell: Callable[[int], None] = lambda percent: None,
) -> dict[str, Any]:
    """The report of a run at once, without keeping it (for the command line).

    Raises ProgramNotFound, ValidationFailed, NoSteps, NoRecordings.
    """
    terms = copy_terms(find_program(program_id))
    if not terms["steps"]:
        raise NoSteps()
    return _simulated(terms, read_parameters(parameters), until=now, tell=tell)


def _simulated(
    terms: Mapping[str, Any],
    parameters: Mapping[str, Any],
    *,
    until: datetime,
    tell: Callable[[int], None],
) -> dict[str, Any]:
    plan = Plan.of(
        terms,
        traders=parameters["traders"],
        days=parameters["days"],
        seed=parameters["seed"],
        mix=parameters["mix"],
        price_band=to_scaled(settings.TRADE_PRICE_BAND),
    )
    world = _world(plan, parameters["paths"], until)
    results = simulate(plan, world, progress=tell)
    return make_report(
        plan,
        world,
        results,
        fee=fee_of(terms),
        currency=terms["program"]["price_currency"],
        paths=parameters["paths"],
    )


def _world(plan: Plan, paths: str, until: datetime) -> World:
    if paths == DEMO:
        return demo_world(seed=plan.seed, steps=plan.steps)
    recordings = list_recordings(until=until)
    if not recordings:
        raise NoRecordings()
    return recorded_world(recordings, seed=plan.seed, steps=plan.steps)


def _unfinished() -> Q:
    return Q(status__in=[Simulation.Status.QUEUED, Simulation.Status.RUNNING])


def _claim(simulation_id: int, now: datetime) -> bool:
    """Take a queued run, or one whose worker has said nothing for too long."""
    lost = Q(status=Simulation.Status.RUNNING, updated_at__lt=now - LOST_AFTER)
    claimed = Simulation.objects.filter(
        Q(status=Simulation.Status.QUEUED) | lost, pk=simulation_id, program__isnull=False
    ).update(status=Simulation.Status.RUNNING, progress=0, error="", updated_at=now)
    orphaned = Simulation.objects.filter(_unfinished(), pk=simulation_id, program__isnull=True)
    orphaned.update(status=Simulation.Status.FAILED, error=PROGRAM_GONE, updated_at=now)
    return claimed == 1


def _keep(simulation_id: int, now: datetime, **values: Any) -> None:
    """Write to a run that is still wanted; raises _Stopped for one that is not."""
    wanted = Simulation.objects.filter(pk=simulation_id, status=Simulation.Status.RUNNING)
    if not wanted.filter(program__isnull=False).update(updated_at=now, **values):
        wanted.update(status=Simulation.Status.FAILED, error=PROGRAM_GONE, updated_at=now)
        raise _Stopped


def _send_on_commit(simulation_id: int) -> None:
    """A message that gets lost costs two minutes: the schedule looks for runs that wait."""
    schema = require_building()
    transaction.on_commit(lambda: _send(schema, simulation_id))


def _send(schema: str, simulation_id: int) -> None:
    try:
        current_app.send_task(RUN_TASK, [schema, simulation_id])
    except (KombuError, OSError) as error:
        logger.warning("Simulation %s of %s waits for the sweep: %s", simulation_id, schema, error)
