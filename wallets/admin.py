"""Wallets and their ledger in the platform's admin, read-only, one building at a time."""

from django.contrib import admin

from tenants.admin_site import BuildingAdmin, ReadOnlyInline, platform_admin
from wallets.models import Hold, LedgerEntry, LedgerTransaction, Wallet


@admin.register(Wallet, site=platform_admin)
class WalletAdmin(BuildingAdmin):
    """Wallets of the chosen building."""

    list_display = ("id", "kind", "user", "status", "balance", "reserved", "baseline", "created_at")
    list_select_related = ("user",)
    list_filter = ("kind", "status")
    search_fields = ("=id", "=account_id", "user__email")
    ordering = ("-id",)


class LedgerEntryInline(ReadOnlyInline):
    """The legs of a movement."""

    model = LedgerEntry
    verbose_name_plural = "legs"
    fields = ("account", "amount", "balance_after")
    readonly_fields = fields


@admin.register(LedgerTransaction, site=platform_admin)
class LedgerTransactionAdmin(BuildingAdmin):
    """The ledger, newest first."""

    list_display = ("id", "created_at", "type", "wallet", "reference", "memo")
    list_select_related = ("wallet",)
    list_filter = ("type",)
    search_fields = ("=reference", "=wallet__id")
    ordering = ("-id",)
    inlines = (LedgerEntryInline,)


@admin.register(Hold, site=platform_admin)
class HoldAdmin(BuildingAdmin):
    """Cash behind resting buys."""

    list_display = ("reference", "wallet", "amount", "created_at", "released_at")
    list_select_related = ("wallet",)
    search_fields = ("=reference", "=wallet__id")
    ordering = ("reference",)
