"""Triggers and functions of the ledger: append-only, sums to zero, balances continue."""

from pathlib import Path

from django.db import migrations

SQL = Path(__file__).resolve().parents[1] / "sql"


class Migration(migrations.Migration):
    dependencies = [("wallets", "0001_initial")]

    operations = [
        migrations.RunSQL(
            (SQL / "ledger.sql").read_text(), (SQL / "ledger_reverse.sql").read_text()
        )
    ]
