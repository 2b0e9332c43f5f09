"""Simulations as rows: started by staff, run by a worker, safe to repeat."""

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from polysim.kernel.errors import ValidationFailed
from prop.models import Simulation
from prop.selectors.simulations import list_lost_simulations, list_simulations
from prop.services import simulations as service
from tenants.office.models import FirmAuditEntry
from tenants.office.services import Actor
from tests.prop.catalogue import NOW, make_program

pytestmark = pytest.mark.django_db

SMALL = {"traders": 100, "days": 5, "seed": 7}
STAFF = Actor(kind="staff", name="risk@alpha.test")
LATER = NOW + timedelta(minutes=3)


def clock() -> Any:
    return NOW + timedelta(seconds=5)


@pytest.fixture
def program(in_alpha: Any) -> Any:
    return make_program()


def start(program: Any, **parameters: Any) -> Simulation:
    return service.start_simulation(
        program_id=program.pk, parameters={**SMALL, **parameters}, actor=STAFF, now=NOW
    )


def test_a_run_keeps_its_terms_parameters_and_report(program: Any) -> None:
    row = start(program)
    assert (row.status, row.progress) == ("queued", 0)
    assert row.parameters["paths"] == "demo"
    assert row.terms["program"]["id"] == program.pk
    assert FirmAuditEntry.objects.get(action="prop.simulation.started").object_id == str(row.pk)
    assert service.run_simulation(simulation_id=row.pk, clock=clock)
    row.refresh_from_db()
    assert (row.status, row.progress, row.error) == ("done", 100, "")
    assert row.report["phases"][0]["entered"] == 100
    assert [one.pk for one in list_simulations(program_id=program.pk)] == [row.pk]


def test_a_finished_run_is_not_run_again(program: Any) -> None:
    row = start(program)
    service.run_simulation(simulation_id=row.pk, clock=clock)
    Simulation.objects.update(report={"kept": True})
    assert not service.run_simulation(simulation_id=row.pk, clock=clock)
    row.refresh_from_db()
    assert row.report == {"kept": True}


def test_a_run_whose_worker_died_starts_again_with_the_same_result(program: Any) -> None:
    row = start(program)
    service.run_simulation(simulation_id=row.pk, clock=clock)
    row.refresh_from_db()
    report = row.report
    Simulation.objects.update(status="running", progress=44, report=None, updated_at=NOW)
    assert not service.run_simulation(simulation_id=row.pk, clock=clock)
    assert list_lost_simulations(now=LATER) == [row.pk]
    assert service.resend_lost_simulations(now=LATER) == [row.pk]
    assert service.run_simulation(simulation_id=row.pk, clock=lambda: LATER)
    row.refresh_from_db()
    assert (row.status, row.report) == ("done", report)


def test_a_stopped_run_and_one_without_its_program_end(program: Any) -> None:
    row = start(program)
    service.stop_simulation(simulation_id=row.pk, actor=STAFF, now=NOW)
    assert not service.run_simulation(simulation_id=row.pk, clock=clock)
    row.refresh_from_db()
    assert (row.status, row.error) == ("failed", "Stopped by risk@alpha.test.")
    other = start(program)
    Simulation.objects.filter(pk=other.pk).update(program=None)
    assert not service.run_simulation(simulation_id=other.pk, clock=clock)
    other.refresh_from_db()
    assert (other.status, other.error) == ("failed", "The program was deleted.")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"traders": 99}, "traders"),
        ({"traders": 20_001}, "traders"),
        ({"days": 4}, "days"),
        ({"days": 121}, "days"),
        ({"seed": -1}, "seed"),
        ({"traders": True}, "traders"),
        ({"paths": "tea leaves"}, "paths"),
        ({"mix": {"wizard": 1}}, "mix"),
        ({"mix": {"steady": 0}}, "mix"),
        ({"mix": {"steady": 101}}, "mix"),
    ],
)
def test_parameters_have_bounds(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        service.read_parameters({**SMALL, **wrong})
    assert [one["field"] for one in refused.value.details["fields"]] == [field]


def test_bounds_themselves_are_allowed() -> None:
    for traders, days in ((100, 5), (20_000, 120)):
        assert service.read_parameters({"traders": traders, "days": days})["traders"] == traders


def test_a_program_without_steps_is_refused(program: Any) -> None:
    program.steps.all().delete()
    with pytest.raises(service.NoSteps):
        start(program)


def test_the_command_prints_the_report(program: Any) -> None:
    out = StringIO()
    options = {"schema": "alpha", "traders": 100, "days": 5, "seed": 7}
    call_command("simulate_program", program.pk, **options, stdout=out)
    assert "100 traders, 5 days, demo prices" in out.getvalue()
    assert "Break-even fee" in out.getvalue()
    with pytest.raises(CommandError, match="traders"):
        call_command("simulate_program", program.pk, schema="alpha", traders=5)
    with pytest.raises(CommandError, match="no building"):
        call_command("simulate_program", program.pk, schema="gamma")
