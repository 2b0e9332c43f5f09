"""The figures of the four plans as they are sold; the platform's admin may change them."""

from decimal import Decimal

from django.db import migrations

SHARED = {"may_export_csv": True, "may_reset_api_wallet": True, "may_create_sandbox": True}
PLANS = [
    {
        "plan": "free",
        "position": 1,
        "requests_per_second": 2,
        "requests_per_minute": 120,
        "max_websocket_connections": 1,
        "max_batch_size": 1,
        "daily_order_limit": 100,
        "api_baseline": Decimal("100.00"),
        "may_reset_api_wallet": False,
        "main_free_resets_30d": 1,
        "sandbox_baseline": Decimal("0.00"),
        "max_sandbox_wallets": 1,
        "may_create_sandbox": False,
        "max_keys": 5,
        "may_export_csv": False,
        "price_month_usd": Decimal("0.00"),
        "price_year_usd": Decimal("0.00"),
    },
    SHARED
    | {
        "plan": "pro",
        "position": 2,
        "requests_per_second": 30,
        "requests_per_minute": 1800,
        "max_websocket_connections": 3,
        "max_batch_size": 5,
        "api_baseline": Decimal("10000.00"),
        "main_free_resets_30d": 4,
        "sandbox_baseline": Decimal("10000.00"),
        "max_sandbox_wallets": 3,
        "max_keys": 5,
        "price_month_usd": Decimal("19.00"),
        "price_year_usd": Decimal("190.00"),
    },
    SHARED
    | {
        "plan": "pro_plus",
        "position": 3,
        "requests_per_second": 60,
        "requests_per_minute": 3600,
        "max_websocket_connections": 10,
        "max_batch_size": 10,
        "api_baseline": Decimal("25000.00"),
        "sandbox_baseline": Decimal("25000.00"),
        "max_sandbox_wallets": 10,
        "max_keys": 5,
        "price_month_usd": Decimal("49.00"),
        "price_year_usd": Decimal("490.00"),
    },
    SHARED
    | {
        "plan": "enterprise",
        "position": 4,
        "requests_per_second": 100,
        "requests_per_minute": 6000,
        "max_websocket_connections": 50,
        "max_batch_size": 25,
        "api_baseline": Decimal("10000.00"),
        "sandbox_baseline": Decimal("25000.00"),
        "max_sandbox_wallets": 50,
        "max_keys": 25,
    },
]


def fill(apps, schema_editor):
    terms = apps.get_model("billing", "PlanTerms")
    for figures in PLANS:
        terms.objects.get_or_create(plan=figures["plan"], defaults=figures)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
