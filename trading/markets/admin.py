"""The venue's catalogue in the platform's admin; the venue alone changes it."""

from django.contrib import admin

from tenants.admin_site import ReadOnlyAdmin, ReadOnlyInline, platform_admin
from trading.markets.models import Event, Market, MarketResolution, MarketStats, Outcome


@admin.register(Event, site=platform_admin)
class EventAdmin(ReadOnlyAdmin):
    """Events."""

    list_display = ("title", "category", "is_neg_risk", "is_closed", "ends_at", "volume_24h")
    list_filter = ("is_closed", "is_neg_risk")
    search_fields = ("title", "slug", "=venue_id")
    ordering = ("-id",)


class OutcomeInline(ReadOnlyInline):
    """Both sides of a market."""

    model = Outcome
    fields = ("index", "label", "token_id")
    readonly_fields = fields


class StatsInline(ReadOnlyInline):
    """Figures of the last sweep."""

    model = MarketStats
    fields = ("price", "best_bid", "best_ask", "volume_24h", "liquidity", "updated_at")
    readonly_fields = fields


class ResolutionInline(ReadOnlyInline):
    """Results and their corrections."""

    model = MarketResolution
    fields = ("version", "payouts", "source", "resolved_at")
    readonly_fields = fields


@admin.register(Market, site=platform_admin)
class MarketAdmin(ReadOnlyAdmin):
    """Markets."""

    list_display = ("question", "category", "kind", "tick_size", "is_closed", "ends_at")
    list_filter = ("kind", "is_active", "is_closed", "is_neg_risk")
    search_fields = ("question", "slug", "=condition_id")
    ordering = ("-id",)
    inlines = (OutcomeInline, StatsInline, ResolutionInline)


@admin.register(MarketResolution, site=platform_admin)
class MarketResolutionAdmin(ReadOnlyAdmin):
    """What the venue said the results are."""

    list_display = ("market", "version", "payouts", "source", "resolved_at")
    list_select_related = ("market",)
    search_fields = ("market__question", "=market__condition_id")
    ordering = ("-id",)
