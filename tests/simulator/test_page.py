"""The BackOffice's "Try it": who may run, what the page shows, that it needs no script."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from prop.models import Simulation
from prop.services.simulations import run_simulation
from tests.backoffice.conftest import browse, office, staff
from tests.prop.catalogue import make_program
from tests.simulator.test_simulations import clock

__all__ = ["office", "staff"]
pytestmark = pytest.mark.django_db

FORM = {"traders": 100, "days": 5, "seed": 7, "paths": "demo", "mix_steady": 1, "mix_gambler": 1}


@pytest.fixture
def program(in_alpha: Any) -> Any:
    return make_program(name="Starter 10K")


def address(program: Any) -> str:
    return f"/backoffice/programs/{program.pk}/try/"


def test_risk_starts_a_run_and_reads_its_report(
    office: Callable[..., Client], program: Any
) -> None:
    client = office("manager")
    assert b"Who trades" in client.get(address(program)).content
    started = client.post(address(program), FORM)
    run = Simulation.objects.get()
    assert (started.status_code, started["Location"]) == (302, f"{address(program)}{run.pk}/")
    assert run.parameters["mix"]["gambler"] == 1
    going = client.get(started["Location"]).content.decode()
    assert '<meta http-equiv="refresh" content="1">' in going
    assert f'<progress value="0" max="100" aria-label="Progress of run {run.pk}">' in going
    run_simulation(simulation_id=run.pk, clock=clock)
    done = client.get(started["Location"]).content.decode()
    assert "http-equiv" not in done
    for words in ("Pass rate", "Why the others fail", "Break-even fee", "All-in", "Evaluation"):
        assert words in done
    assert "terms have changed" not in done
    program.steps.filter(phase_index=1).update(max_total_loss_pct=12)
    assert "terms have changed" in client.get(address(program)).content.decode()
    client.post(address(program), FORM)
    run_simulation(simulation_id=Simulation.objects.latest("pk").pk, clock=clock)
    again = client.get(address(program)).content.decode()
    assert "sent the same traders through the terms" in again
    assert "terms have changed" not in again


def test_a_wrong_number_is_told_at_its_field(office: Callable[..., Client], program: Any) -> None:
    page = office("admin").post(address(program), {**FORM, "traders": 5})
    assert b"Traders</a>" in page.content
    none = office("admin").post(address(program), {**FORM, "mix_steady": 0, "mix_gambler": 0})
    assert b"At least one behaviour needs a weight." in none.content
    assert not Simulation.objects.exists()


@pytest.mark.parametrize("role", ["dealer", "crm_admin", "crm_manager", "viewer"])
def test_other_roles_read_only(office: Callable[..., Client], program: Any, role: str) -> None:
    client = office(role)
    page = client.get(address(program))
    assert page.status_code == 200
    assert b"<select" not in page.content
    assert client.post(address(program), FORM).status_code == 403


def test_a_run_can_be_stopped(office: Callable[..., Client], program: Any) -> None:
    client = office("manager")
    client.post(address(program), FORM)
    run = Simulation.objects.get()
    assert client.get(f"{address(program)}{run.pk}/stop/").status_code == 405
    assert office("viewer").post(f"{address(program)}{run.pk}/stop/").status_code == 403
    client.post(f"{address(program)}{run.pk}/stop/")
    run.refresh_from_db()
    assert run.error == "Stopped by manager@alpha.example."


def test_strangers_see_nothing(staff: Any, office: Callable[..., Client], program: Any) -> None:
    assert office("manager").get("/backoffice/programs/999999/try/").status_code == 404
    assert office("manager").get(f"{address(program)}12345/").status_code == 404
    assert browse(None).get(address(program)).status_code == 302
    assert browse(staff["manager"], "beta.localhost").get(address(program)).status_code == 302
