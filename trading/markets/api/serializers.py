"""Shapes of market data for the OpenAPI document (trading-api 2)."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from polysim.kernel.api.fields import Text


class OutcomePrice(serializers.Serializer[Any]):
    """An outcome with its displayed price."""

    label = serializers.CharField()  # type: ignore[assignment]
    price = serializers.CharField(allow_null=True)
    token_id = serializers.CharField()


class LivePrice(serializers.Serializer[Any]):
    """What a market shows now; `buy` and `sell` are the prices of its two outcomes."""

    buy = serializers.CharField(allow_null=True)
    sell = serializers.CharField(allow_null=True)
    best_bid = serializers.CharField(allow_null=True)
    best_ask = serializers.CharField(allow_null=True)
    spread = serializers.CharField(allow_null=True)
    last_trade = serializers.CharField(allow_null=True)
    volume = serializers.CharField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    updated_at = serializers.DateTimeField(allow_null=True)
    outcomes = OutcomePrice(many=True)


class MarketRow(serializers.Serializer[Any]):
    """A market in a list (2.1)."""

    id = serializers.CharField()
    condition_id = serializers.CharField()
    slug = serializers.CharField()
    question = serializers.CharField()
    outcomes = serializers.ListField(child=serializers.CharField())
    active = serializers.BooleanField()
    closed = serializers.BooleanField()
    is_hot = serializers.BooleanField()
    image_url = serializers.CharField(allow_null=True)
    category = serializers.CharField(allow_null=True)
    clob_token_ids = serializers.ListField(child=serializers.CharField())
    volume_24h = serializers.CharField(allow_null=True)
    last_price = serializers.CharField(allow_null=True)
    neg_risk = serializers.BooleanField()
    event_group_id = serializers.CharField(allow_null=True)
    event_title = serializers.CharField(allow_null=True)
    end_date = serializers.DateTimeField(allow_null=True)
    live_price = LivePrice(allow_null=True)


class MarketPage(serializers.Serializer[Any]):
    """The list in its envelope; `LTE=` ends it."""

    data = MarketRow(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField()


class Level(serializers.Serializer[Any]):
    """Price and shares of a level."""

    price = serializers.CharField()
    size = serializers.CharField()


class OrderBook(serializers.Serializer[Any]):
    """A token's book, best level last on both sides (2.4)."""

    token_id = serializers.CharField()
    asset_id = serializers.CharField()
    market = serializers.CharField()
    hash = serializers.CharField()
    timestamp = serializers.CharField(help_text="Unix milliseconds as digits.")
    bids = Level(many=True)
    asks = Level(many=True)
    min_order_size = serializers.CharField()
    tick_size = serializers.CharField()
    neg_risk = serializers.BooleanField()
    last_trade_price = serializers.CharField(allow_blank=True)
    mid = serializers.CharField(allow_null=True)
    spread = serializers.CharField(allow_null=True)
    stale = serializers.BooleanField(allow_null=True)


class MarketToken(serializers.Serializer[Any]):
    """An outcome; `winner` only once settled."""

    token_id = serializers.CharField()
    outcome = serializers.CharField()
    price = serializers.FloatField(allow_null=True)
    winner = serializers.BooleanField()


class MarketDetail(MarketRow):
    """One market with everything known of it (2.2)."""

    resolved_outcome = serializers.CharField(allow_null=True)
    archived = serializers.BooleanField()
    archived_at = serializers.DateTimeField(allow_null=True)
    tokens = MarketToken(many=True)
    question_id = serializers.CharField()
    market_slug = serializers.CharField()
    last_trade_price = serializers.CharField(allow_null=True)
    accepting_orders = serializers.BooleanField()
    min_order_size = serializers.CharField()
    tick_size = serializers.CharField()
    order_book = OrderBook(required=False, allow_null=True)


class TokenPlace(serializers.Serializer[Any]):
    """Where a token belongs."""

    condition_id = serializers.CharField()
    primary_token_id = serializers.CharField()
    outcome = serializers.CharField()


class EventRow(serializers.Serializer[Any]):
    """An event with its markets (2.3)."""

    id = serializers.CharField()
    slug = serializers.CharField()
    title = serializers.CharField()
    image = serializers.CharField(allow_null=True)
    end_date = serializers.DateTimeField(allow_null=True)
    is_hot = serializers.BooleanField()
    category = serializers.CharField(allow_null=True)
    neg_risk = serializers.BooleanField()
    markets = MarketRow(many=True)


class EventList(serializers.Serializer[Any]):
    """A page of events."""

    events = EventRow(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()
    cache_source = serializers.CharField()
    has_sports = serializers.BooleanField(allow_null=True)
    message = serializers.CharField(allow_null=True)


class Category(serializers.Serializer[Any]):
    """A category of open markets."""

    category = serializers.CharField()
    markets = serializers.IntegerField()
    fee_rate_bps = serializers.IntegerField()


class TokenItem(serializers.Serializer[Any]):
    """An item of the calls for many tokens."""

    token_id = serializers.RegexField(r"^[0-9]{1,80}$")


class SidedTokenItem(TokenItem):
    """The same with a side."""

    side = serializers.ChoiceField(choices=["BUY", "SELL"])


class Price(serializers.Serializer[Any]):
    """A quote of one side."""

    price = serializers.CharField()
    quote_at = serializers.DateTimeField()
    age_ms = serializers.IntegerField()


class Midpoint(serializers.Serializer[Any]):
    mid = serializers.CharField()


class Spread(serializers.Serializer[Any]):
    spread = serializers.CharField()


class LastTrade(serializers.Serializer[Any]):
    price = serializers.CharField()
    side = serializers.CharField(allow_blank=True)


class TokenLastTrade(LastTrade):
    token_id = serializers.CharField()


@extend_schema_field(
    {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 256},
        "minItems": 1,
        "maxItems": 5,
    }
)
class MarketIds(serializers.ListField):
    """Condition ids; 1, 5, 10 or 25 by tier (the document names Pro's), at most 50."""

    child = Text(max_length=256)


class PriceBatchRequest(serializers.Serializer[Any]):
    """Markets whose prices are wanted."""

    market_ids = MarketIds()


class BatchPrice(serializers.Serializer[Any]):
    """A market's prices; only `condition_id` where it has none."""

    condition_id = serializers.CharField()
    buy = serializers.CharField(required=False, allow_null=True)
    sell = serializers.CharField(required=False, allow_null=True)
    outcomes = OutcomePrice(many=True, required=False)
    source = serializers.CharField(required=False)  # type: ignore[assignment]


class TickSize(serializers.Serializer[Any]):
    minimum_tick_size = serializers.FloatField()


class NegRisk(serializers.Serializer[Any]):
    neg_risk = serializers.BooleanField()


class FeeRate(serializers.Serializer[Any]):
    base_fee = serializers.IntegerField()
    fee_rate_bps = serializers.IntegerField()


class HistoryCandle(serializers.Serializer[Any]):
    """Prices of one bucket."""

    t = serializers.IntegerField(help_text="Unix seconds.")
    o = serializers.CharField()
    h = serializers.CharField()
    l = serializers.CharField()  # noqa: E741 (the contract's name)
    c = serializers.CharField()


class Candle(HistoryCandle):
    """The same with `v`: shares that Polysim's users traded in it, null if none."""

    v = serializers.CharField(allow_null=True)


class HistoryPoint(serializers.Serializer[Any]):
    t = serializers.IntegerField(help_text="Unix seconds.")
    p = serializers.FloatField()


class History(serializers.Serializer[Any]):
    history = HistoryPoint(many=True)
