"""The function that writes an event of the outbox; the audit log is append-only."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"


class Migration(migrations.Migration):
    dependencies = [("office", "0001_initial")]

    operations = [
        migrations.RunSQL(
            (SQL / "events.sql").read_text(), (SQL / "events_reverse.sql").read_text()
        )
    ]
