"""Functions that place, fill, cancel and expire orders; append-only fills and settlements."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"
FILES = ("positions.sql", "place_order.sql", "end_orders.sql", "fill_resting_order.sql")


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0001_initial"),
        ("wallets", "0002_keep_the_ledger_true"),
        ("markets", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(
            "\n".join((SQL / name).read_text() for name in FILES),
            (SQL / "reverse.sql").read_text(),
        )
    ]
