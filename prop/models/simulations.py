"""Runs of the program simulator: what thousands of made-up traders would make of a program."""

from django.conf import settings
from django.db import models

from polysim.kernel.tenancy import BuildingModel
from prop.models.programs import Program


class Simulation(BuildingModel):
    """One run: its seed and parameters make it repeatable; `report` is its result."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    program = models.ForeignKey(Program, null=True, on_delete=models.SET_NULL, related_name="+")
    terms = models.JSONField(help_text="Program and steps as they were simulated.")
    parameters = models.JSONField(help_text="Seed, traders, behaviours, price paths.")
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent.")
    report = models.JSONField(null=True)
    error = models.TextField(blank=True, default="")
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["program", "-id"], name="simulation_of_program")]

    def __str__(self) -> str:
        return f"simulation {self.pk}"
