"""Closed firm accounts no longer settle, and Polysim sells what read-only ones still hold."""

from pathlib import Path

from django.db import migrations, models

SQL = Path(__file__).resolve().parents[1] / "sql"
RENEWED = ("place_order.sql", "settle_position.sql")


class Migration(migrations.Migration):
    dependencies = [("trading", "0004_trades_feed")]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(status="PENDING"),
                fields=["wallet"],
                name="order_open_of_wallet",
            ),
        ),
        migrations.RunSQL(
            "\n".join((SQL / name).read_text() for name in RENEWED), migrations.RunSQL.noop
        ),
    ]
