"""What each plan allows: one table, editable in the platform's admin (accounts-api 3)."""

from django.db import models

from tenants.models import Plan


class PlanTerms(models.Model):
    """The figures of one plan. NULL means unlimited."""

    plan = models.CharField(max_length=16, choices=Plan, primary_key=True)
    position = models.PositiveSmallIntegerField(unique=True)
    requests_per_second = models.PositiveIntegerField()
    requests_per_minute = models.PositiveIntegerField()
    max_websocket_connections = models.PositiveIntegerField()
    max_batch_size = models.PositiveIntegerField()
    daily_order_limit = models.PositiveIntegerField(null=True, blank=True)
    api_baseline = models.DecimalField(max_digits=20, decimal_places=6)
    may_reset_api_wallet = models.BooleanField()
    main_free_resets_30d = models.PositiveIntegerField(null=True, blank=True)
    sandbox_baseline = models.DecimalField(max_digits=20, decimal_places=6)
    max_sandbox_wallets = models.PositiveIntegerField()
    may_create_sandbox = models.BooleanField()
    max_keys = models.PositiveIntegerField()
    may_export_csv = models.BooleanField()
    price_month_usd = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)
    price_year_usd = models.DecimalField(max_digits=12, decimal_places=2, null=True, blank=True)

    class Meta:
        verbose_name_plural = "plan terms"

    def __str__(self) -> str:
        return self.get_plan_display()
