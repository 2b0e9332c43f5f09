"""Orders, fills, positions and settlements in the platform's admin, read-only."""

from django.contrib import admin

from tenants.admin_site import BuildingAdmin, platform_admin
from trading.models import Fill, Order, Position, Settlement


@admin.register(Order, site=platform_admin)
class OrderAdmin(BuildingAdmin):
    """Orders of the chosen building, newest first."""

    list_display = (
        "id",
        "created_at",
        "user",
        "wallet",
        "market",
        "outcome",
        "side",
        "type",
        "price",
        "quantity",
        "filled_quantity",
        "status",
    )
    list_select_related = ("user", "wallet", "market", "outcome")
    list_filter = ("status", "type", "side")
    search_fields = ("=id", "=wallet__id", "=client_order_id")
    ordering = ("-id",)


@admin.register(Fill, site=platform_admin)
class FillAdmin(BuildingAdmin):
    """Executions with their evidence."""

    list_display = (
        "id",
        "created_at",
        "order_id",
        "wallet",
        "market",
        "outcome",
        "side",
        "price",
        "quantity",
        "notional",
        "fee",
        "liquidity",
    )
    list_select_related = ("wallet", "market", "outcome")
    list_filter = ("liquidity", "side")
    search_fields = ("=id", "=order__id", "=wallet__id")
    ordering = ("-id",)


@admin.register(Position, site=platform_admin)
class PositionAdmin(BuildingAdmin):
    """Positions, open and closed."""

    list_display = (
        "id",
        "wallet",
        "market",
        "outcome",
        "quantity",
        "average_price",
        "realized_pnl",
        "status",
        "opened_at",
    )
    list_select_related = ("wallet", "market", "outcome")
    list_filter = ("status",)
    search_fields = ("=id", "=wallet__id")
    ordering = ("-id",)


@admin.register(Settlement, site=platform_admin)
class SettlementAdmin(BuildingAdmin):
    """What positions were paid at resolution."""

    list_display = (
        "id",
        "settled_at",
        "wallet",
        "market",
        "result",
        "quantity",
        "payout",
        "realized_pnl",
        "version",
    )
    list_select_related = ("wallet", "market")
    list_filter = ("result",)
    search_fields = ("=id", "=wallet__id")
    ordering = ("-id",)
