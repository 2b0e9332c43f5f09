"""The Celery application. Tasks are doors: they enter a building by argument and call a service."""

import os
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.signals import worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polysim.settings")

app = Celery("polysim")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(
    ["tenants", "tenants.office", "trading.markets", "wallets", "trading", "prop"]
)


@worker_ready.connect
def read_catalogue_at_once(**_: Any) -> None:
    """A new installation shows markets within seconds; beat's first round comes a minute later."""
    app.send_task("trading.markets.tasks.sweep_catalogue", expires=55)


@worker_ready.connect
def start_embedded_beat(**_: Any) -> None:
    """Run the schedule in a thread of the worker where one process is to do both (quickstart)."""
    if os.environ.get("POLYSIM_EMBEDDED_BEAT") == "true":
        EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler).start()
