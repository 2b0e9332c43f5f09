"""Runs of the simulator, for the pages of a program."""

from datetime import datetime, timedelta

from django.db.models import Q

from polysim.kernel.errors import NotFound
from prop.models import Simulation

# A run that said nothing for so long has lost its worker.
LOST_AFTER = timedelta(seconds=120)
RUNS_SHOWN = 20


def find_simulation(simulation_id: int) -> Simulation:
    """A run by id. Raises NotFound."""
    row = Simulation.objects.filter(pk=simulation_id).first()
    if row is None:
        raise NotFound("There is no such simulation.")
    return row


def list_simulations(*, program_id: int) -> list[Simulation]:
    """The newest runs of a program, without their reports."""
    runs = Simulation.objects.filter(program_id=program_id).order_by("-pk")
    return list(runs.defer("report", "terms").select_related("started_by")[:RUNS_SHOWN])


def list_lost_simulations(*, now: datetime) -> list[int]:
    """Ids of runs that wait for a worker for too long, or whose worker died."""
    unfinished = Q(status=Simulation.Status.QUEUED) | Q(status=Simulation.Status.RUNNING)
    lost = Simulation.objects.filter(unfinished, updated_at__lt=now - LOST_AFTER)
    return list(lost.order_by("pk").values_list("pk", flat=True))
