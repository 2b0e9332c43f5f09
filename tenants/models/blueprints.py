"""How a building is built: the statements of its migrations, kept so that the next one is quick."""

from django.db import models
from django.utils import timezone


class BuildingBlueprint(models.Model):
    """What migrating an empty schema sent to the database, for one state of the migrations.

    `statements` is a list of [sql, parameters or null], free of any schema's name.
    """

    fingerprint = models.CharField(max_length=64, unique=True)
    statements = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.fingerprint[:12]
