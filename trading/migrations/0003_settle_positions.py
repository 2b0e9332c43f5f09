"""Functions that settle positions once per version of a result."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"


class Migration(migrations.Migration):
    dependencies = [("trading", "0002_write_orders_in_one_statement")]

    operations = [
        migrations.RunSQL(
            (SQL / "settle_position.sql").read_text(),
            (SQL / "settle_position_reverse.sql").read_text(),
        )
    ]
