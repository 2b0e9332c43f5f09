"""The venue's catalogue and its recorded past, all in `public`.

`Market` and `Outcome` are referenced from every building and therefore carry no live ticks:
figures that move stand in `MarketStats`, live books in Valkey (architecture, Schemas).
Contract: polymarket-feed 2 and 7.
"""

from typing import Any

from django.db import models
from django.utils import timezone

from tenants.models import User

PRICE: dict[str, Any] = {"max_digits": 7, "decimal_places": 6}
SHARES: dict[str, Any] = {"max_digits": 20, "decimal_places": 6}


class Event(models.Model):
    """A group of markets with one title."""

    venue_id = models.CharField(max_length=32, unique=True)
    slug = models.CharField(max_length=255, db_index=True)
    title = models.TextField()
    description = models.TextField(blank=True, default="")
    category = models.CharField(max_length=64, blank=True, default="")
    tags = models.JSONField(default=list)
    image_url = models.TextField(blank=True, default="")
    series_slug = models.CharField(max_length=255, blank=True, default="")
    is_neg_risk = models.BooleanField(default=False)
    is_closed = models.BooleanField(default=False)
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    volume_24h = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    updated_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.title


class Market(models.Model):
    """One binary question. `condition_id` is its public id on every door."""

    class Kind(models.TextChoices):
        STANDARD = "standard", "Standard"
        UP_DOWN = "up_down", "Up or Down"

    condition_id = models.CharField(max_length=66, unique=True)
    venue_id = models.CharField(max_length=32, unique=True)
    event = models.ForeignKey(Event, null=True, on_delete=models.PROTECT, related_name="markets")
    slug = models.CharField(max_length=255, unique=True)
    kind = models.CharField(max_length=16, choices=Kind, default=Kind.STANDARD)
    question = models.TextField()
    group_item_title = models.CharField(max_length=255, blank=True, default="")
    description = models.TextField(blank=True, default="")
    resolution_source = models.TextField(blank=True, default="")
    category = models.CharField(max_length=64, blank=True, default="")
    image_url = models.TextField(blank=True, default="")
    tick_size = models.DecimalField(**PRICE)
    min_order_size = models.DecimalField(**SHARES)
    is_neg_risk = models.BooleanField(default=False)
    fee_rate = models.DecimalField(max_digits=9, decimal_places=6)
    fee_exponent = models.PositiveSmallIntegerField(default=1)
    is_active = models.BooleanField(default=True)
    is_closed = models.BooleanField(default=False)
    is_archived = models.BooleanField(default=False)
    is_accepting_orders = models.BooleanField(default=True)
    is_order_book_enabled = models.BooleanField(default=True)
    is_hidden = models.BooleanField(default=False, help_text="Placeholder of a neg-risk group.")
    uma_status = models.CharField(max_length=32, blank=True, default="")
    starts_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    book_clears_at = models.DateTimeField(
        null=True, help_text="Sports: the venue cancels all orders when the game starts."
    )
    archived_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["event"], name="market_by_event"),
            models.Index(
                fields=["ends_at"],
                condition=models.Q(is_closed=False),
                name="market_open_by_end_for_poll",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(tick_size__gt=0) & models.Q(tick_size__lt=1),
                name="market_tick_is_between_0_and_1",
            ),
            models.CheckConstraint(
                condition=models.Q(min_order_size__gt=0), name="market_min_order_size_is_positive"
            ),
            models.CheckConstraint(
                condition=models.Q(fee_rate__gte=0), name="market_fee_rate_is_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return self.question

    @property
    def is_tradable(self) -> bool:
        """The venue takes orders on it (polymarket-feed 2.3), before resolution is looked at."""
        return (
            self.is_active
            and not self.is_closed
            and not self.is_archived
            and not self.is_hidden
            and self.is_order_book_enabled
            and self.is_accepting_orders
        )


class Outcome(models.Model):
    """One side of a market, in the venue's order (`index` 0 or 1) and spelling."""

    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="outcomes")
    index = models.PositiveSmallIntegerField()
    label = models.CharField(max_length=200)
    token_id = models.CharField(max_length=80, unique=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["market", "index"], name="outcome_index_once"),
            models.CheckConstraint(
                condition=models.Q(index__in=[0, 1]), name="outcome_market_is_binary"
            ),
        ]

    def __str__(self) -> str:
        return self.label


class MarketStats(models.Model):
    """Figures of the last catalogue sweep; refreshed every minute, referenced by nobody."""

    market = models.OneToOneField(
        Market, primary_key=True, on_delete=models.CASCADE, related_name="stats"
    )
    volume_24h = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    volume_total = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    liquidity = models.DecimalField(max_digits=20, decimal_places=6, null=True)
    price = models.DecimalField(null=True, help_text="Of outcome 0.", **PRICE)
    best_bid = models.DecimalField(null=True, **PRICE)
    best_ask = models.DecimalField(null=True, **PRICE)
    last_trade_price = models.DecimalField(null=True, **PRICE)
    change_24h = models.DecimalField(max_digits=8, decimal_places=6, null=True)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(
                models.F("volume_24h").desc(nulls_last=True), "market_id", name="stats_by_volume"
            ),
            models.Index(
                models.F("liquidity").desc(nulls_last=True), "market_id", name="stats_by_liquidity"
            ),
        ]

    def __str__(self) -> str:
        return f"stats of market {self.market_id}"


class MarketResolution(models.Model):
    """What the venue said the result is. A correction is a new version, never an edit."""

    market = models.ForeignKey(Market, on_delete=models.PROTECT, related_name="resolutions")
    version = models.PositiveSmallIntegerField()
    payouts = models.JSONField(help_text='Decimal text per outcome: ["1", "0"].')
    source = models.CharField(max_length=32)
    actor = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="+", help_text="Who corrected it."
    )
    resolved_at = models.DateTimeField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["market", "version"], name="resolution_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.market_id} v{self.version}: {self.payouts}"


class MinuteCandle(models.Model):
    """Displayed prices of one outcome within a UTC minute; `volume` in shares traded."""

    outcome = models.ForeignKey(Outcome, on_delete=models.CASCADE, related_name="+")
    minute_at = models.DateTimeField()
    open = models.DecimalField(**PRICE)
    high = models.DecimalField(**PRICE)
    low = models.DecimalField(**PRICE)
    close = models.DecimalField(**PRICE)
    volume = models.DecimalField(default=0, **SHARES)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["outcome", "minute_at"], name="candle_once_per_minute")
        ]

    def __str__(self) -> str:
        return f"{self.outcome_id} {self.minute_at}"


class VenueTrade(models.Model):
    """A trade the venue printed: the tape of a market page. Holds no trader's identity."""

    outcome = models.ForeignKey(Outcome, on_delete=models.CASCADE, related_name="+")
    market = models.ForeignKey(Market, on_delete=models.CASCADE, related_name="+")
    price = models.DecimalField(**PRICE)
    size = models.DecimalField(**SHARES)
    side = models.CharField(max_length=4)
    traded_at = models.DateTimeField()
    identity = models.CharField(max_length=64, unique=True, help_text="Hash for de-duplication.")

    class Meta:
        indexes = [models.Index(fields=["market", "-traded_at", "-id"], name="tape_newest_first")]

    def __str__(self) -> str:
        return f"{self.side} {self.size} at {self.price}"
