"""Parameters of markets, the clock, and price history (trading-api 2.6, 2.7)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    PolymorphicProxySerializer,
    extend_schema,
    extend_schema_field,
)
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import Moment, WholeNumber
from polysim.kernel.api.identity import Access
from polysim.kernel.api.schema import TOKEN_SCHEMA
from polysim.kernel.api.views import ApiView, QuerySerializer, read_query
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError, ValidationFailed
from polysim.kernel.money import four_places_text
from trading.markets import selectors
from trading.markets.api import prose
from trading.markets.api import serializers as shapes
from trading.markets.api.quoting import TOKEN_PARAMETER
from trading.markets.api.rows import TOKEN_ID, json_number
from trading.markets.models import Outcome
from trading.markets.selectors import CandleRow

LEGACY_BASE_FEE = 1000
BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
# Interval -> size of a bucket, and how far back without `start_time`.
CANDLE_INTERVALS: dict[str, tuple[timedelta, timedelta | None]] = {
    "1h": (HOUR, 1000 * HOUR),
    "6h": (6 * HOUR, 1000 * 6 * HOUR),
    "1d": (DAY, None),
    "1w": (WEEK, None),
    "max": (DAY, None),
}
# Interval -> how far back; None = everything.
HISTORY_INTERVALS: dict[str, timedelta | None] = {
    "1h": HOUR,
    "6h": 6 * HOUR,
    "1d": DAY,
    "1w": WEEK,
    "1m": timedelta(days=30),
    "max": None,
    "all": None,
}
FIDELITY_MAX = 100_000


def read_market_of(token_id: str, *, not_found: str = "market not found") -> Outcome:
    """The outcome of a token with its market; 400 and 404 in Polymarket's words."""
    if not TOKEN_ID.fullmatch(token_id):
        raise prose.invalid_token_id()
    outcome = selectors.list_outcomes_by_token([token_id]).get(token_id)
    if outcome is None:
        raise prose.market_not_found(not_found)
    return outcome


class _TokenView(ApiView):
    """A parameter of the market of one token, named in the query or the path."""

    access = Access.PUBLIC

    def outcome(self, request: Request, token_id: str | None) -> Outcome:
        """The asked outcome."""
        named = token_id if token_id is not None else request.query_params.get("token_id", "")
        return read_market_of(named)


class TickSizeView(_TokenView):
    """The smallest price step (2.6)."""

    @extend_schema(
        operation_id="get_tick_size", parameters=[TOKEN_PARAMETER], responses=shapes.TickSize
    )
    def get(self, request: Request) -> Response:
        return self.answer(self.outcome(request, None))

    def answer(self, outcome: Outcome) -> Response:
        return Response({"minimum_tick_size": json_number(outcome.market.tick_size)})


class TickSizeByPathView(TickSizeView):
    """The same with the token in the path."""

    @extend_schema(operation_id="get_tick_size_of_token", responses=shapes.TickSize)
    def get(self, request: Request, token_id: str) -> Response:  # type: ignore[override]
        return self.answer(self.outcome(request, token_id))


class NegRiskView(_TokenView):
    """Whether the market belongs to a neg-risk group (2.6)."""

    @extend_schema(
        operation_id="get_neg_risk", parameters=[TOKEN_PARAMETER], responses=shapes.NegRisk
    )
    def get(self, request: Request) -> Response:
        return self.answer(self.outcome(request, None))

    def answer(self, outcome: Outcome) -> Response:
        return Response({"neg_risk": outcome.market.is_neg_risk})


class NegRiskByPathView(NegRiskView):
    """The same with the token in the path."""

    @extend_schema(operation_id="get_neg_risk_of_token", responses=shapes.NegRisk)
    def get(self, request: Request, token_id: str) -> Response:  # type: ignore[override]
        return self.answer(self.outcome(request, token_id))


class FeeRateView(ApiView):
    """The taker fee of a token's market (2.6)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_fee_rate", parameters=[TOKEN_PARAMETER], responses=shapes.FeeRate
    )
    def get(self, request: Request) -> Response:
        outcome = read_market_of(
            request.query_params.get("token_id", ""), not_found="fee rate not found for market"
        )
        rate = outcome.market.fee_rate
        return Response(
            {
                "base_fee": LEGACY_BASE_FEE if rate > 0 else 0,
                "fee_rate_bps": int(rate * 10_000),
            }
        )


class TimeView(ApiView):
    """The server's clock as bare unix seconds (2.6)."""

    access = Access.PUBLIC

    @extend_schema(operation_id="get_time", responses=OpenApiTypes.INT)
    def get(self, request: Request) -> Response:
        return Response(int(utc_now().timestamp()))


class InvalidInterval(PolysimError):
    """The interval is none of the supported ones."""

    code = "INVALID_INTERVAL"
    status = 400

    def __init__(self, supported: list[str]) -> None:
        super().__init__(
            f"The interval must be one of {', '.join(supported)}.",
            extra={"supported_intervals": supported},
        )


@extend_schema_field({"type": "string", "enum": list(CANDLE_INTERVALS)})
class IntervalField(serializers.CharField):
    """Any text; an unknown interval has a refusal of its own."""


class CandleQuery(QuerySerializer):
    """Outcome, bucket and range of 2.7."""

    outcome = serializers.CharField(required=False, max_length=200)
    interval = IntervalField(default="1h", max_length=16)
    start_time = Moment(required=False)
    end_time = Moment(required=False, is_upper_bound=True)


class CandlesView(ApiView):
    """Candles of one outcome, ascending (2.7)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="list_candles",
        parameters=[CandleQuery],
        responses=shapes.Candle(many=True),
    )
    def get(self, request: Request, condition_id: str) -> Response:
        wanted = read_query(request, CandleQuery)
        if wanted["interval"] not in CANDLE_INTERVALS:
            raise InvalidInterval(list(CANDLE_INTERVALS))
        market = selectors.get_market(condition_id)
        outcome = selectors.find_outcome(market, wanted.get("outcome"))
        bucket, back = CANDLE_INTERVALS[wanted["interval"]]
        end = wanted.get("end_time") or utc_now() + timedelta(minutes=1)
        start = wanted.get("start_time") or (max(BEGINNING, end - back) if back else BEGINNING)
        rows = selectors.list_candles(outcome_id=outcome.pk, bucket=bucket, start=start, end=end)
        # The minutes hold what the venue traded; `v` is what Polysim's users did, not known here.
        return Response([{**candle_row(row), "v": None} for row in rows])


def candle_row(row: CandleRow) -> dict[str, Any]:
    """Time and prices of a bucket, 4 decimals."""
    return {
        "t": int(row.bucket_at.timestamp()),
        "o": four_places_text(row.open),
        "h": four_places_text(row.high),
        "l": four_places_text(row.low),
        "c": four_places_text(row.close),
    }


class HistoryQuery(QuerySerializer):
    """Range, fidelity and form of 2.7."""

    interval = serializers.ChoiceField(choices=list(HISTORY_INTERVALS), required=False)
    startTs = Moment(required=False)  # noqa: N815 (Polymarket's name)
    endTs = Moment(required=False, is_upper_bound=True)  # noqa: N815 (Polymarket's name)
    fidelity = WholeNumber(min_value=1, max_value=FIDELITY_MAX, default=1)
    format = serializers.ChoiceField(choices=["pm", "ohlcv"], default="pm")


class PricesHistoryView(ApiView):
    """A token's prices over time in Polymarket's form, or as candles (2.7)."""

    access = Access.PUBLIC

    @extend_schema(
        operation_id="get_prices_history",
        parameters=[
            OpenApiParameter("market", TOKEN_SCHEMA, required=True, description="The token id."),
            HistoryQuery,
        ],
        responses=PolymorphicProxySerializer(
            component_name="PricesHistoryAnswer",
            serializers=[shapes.History, shapes.HistoryCandle(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
    )
    def get(self, request: Request) -> Response:
        sent = request.query_params
        outcome = read_market_of(sent.get("market") or sent.get("token_id", ""))
        wanted = read_query(request, HistoryQuery)
        start, end = history_range(wanted, now=utc_now())
        rows = selectors.list_candles(
            outcome_id=outcome.pk,
            bucket=timedelta(minutes=wanted["fidelity"]),
            start=start,
            end=end,
        )
        if wanted["format"] == "ohlcv":
            return Response([candle_row(row) for row in rows])
        points = [
            {"t": int(row.bucket_at.timestamp()), "p": json_number(_four_places(row.close))}
            for row in rows
        ]
        return Response({"history": points})


def history_range(wanted: dict[str, Any], *, now: datetime) -> tuple[datetime, datetime]:
    """From an explicit range, else from the interval, else the last hour."""
    end = wanted.get("endTs") or now + timedelta(minutes=1)
    if "startTs" in wanted:
        start: datetime = wanted["startTs"]
        if start > end:
            raise ValidationFailed([("startTs", "must not be after endTs")])
        return start, end
    if "interval" not in wanted and "endTs" in wanted:
        return BEGINNING, end
    back = HISTORY_INTERVALS[wanted.get("interval", "1h")]
    return (max(BEGINNING, end - back) if back else BEGINNING), end


def _four_places(price: Decimal) -> Decimal:
    return Decimal(four_places_text(price) or 0)
