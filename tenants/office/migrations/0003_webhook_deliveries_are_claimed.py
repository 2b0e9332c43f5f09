"""Deliveries are claimed by one worker at a time and have rounds of attempts."""

from django.db import migrations, models
from django.utils import timezone


class Migration(migrations.Migration):
    dependencies = [("office", "0002_write_events_and_keep_the_audit")]

    operations = [
        migrations.AddField(
            model_name="webhookdelivery",
            name="claimed_until",
            field=models.DateTimeField(
                help_text="A worker is sending it; after this moment it is anybody's again.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="webhookdelivery",
            name="round_started_at",
            field=models.DateTimeField(default=timezone.now, help_text="Made, or replayed last."),
            preserve_default=False,
        ),
    ]
