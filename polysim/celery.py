"""The Celery application. Tasks are doors: they enter a building by argument and call a service."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polysim.settings")

app = Celery("polysim")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["tenants", "trading.markets", "wallets", "trading", "prop"])
