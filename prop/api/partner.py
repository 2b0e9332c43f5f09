"""`/v1/partner/accounts/{id}/evaluation`: the optional rule engine (partner-api B4)."""

from typing import Any, ClassVar

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import WholeNumber
from polysim.kernel.api.partner_cursors import decode_list_cursor, encode_list_cursor
from polysim.kernel.api.partner_fields import Money, Price
from polysim.kernel.api.views import QuerySerializer, read_query
from polysim.kernel.clock import utc_now
from polysim.kernel.errors import NotFound
from prop.models import AccountEvaluation
from prop.selectors.account_rules import EntryPage, get_evaluation, list_breaches, list_metrics
from tenants.api.partner_door import PartnerView
from tenants.models.partners import ACCOUNTS_READ
from trading.api.partner_orders import PageLimit, account_id_of


class MetricAnswer(serializers.Serializer[Any]):
    """What the rules looked at, at one moment."""

    seq = serializers.IntegerField(help_text="Counts up within the attempt.")
    attempt = serializers.IntegerField()
    measured_at = serializers.DateTimeField()
    balance = Money(help_text="All cash.")
    equity = Money()
    profit_pct = Price()
    total_loss_pct = Price()
    daily_loss_pct = Price()
    daily_profit_pct = Price()
    day = serializers.DateField(help_text="In the firm's time zone.")
    day_start_equity = Money()
    trading_days = serializers.IntegerField()
    open_positions = serializers.IntegerField()
    is_price_stale = serializers.BooleanField(help_text="The rules on equity waited for prices.")


class BreachAnswer(serializers.Serializer[Any]):
    """A rule that was broken."""

    seq = serializers.IntegerField()
    attempt = serializers.IntegerField()
    breached_at = serializers.DateTimeField()
    rule = serializers.CharField()
    limit_value = serializers.CharField(help_text="Percent with four places, or a count.")
    actual_value = serializers.CharField()
    basis_value = Money(help_text="What a percent is taken of; 0.00 for counts.")
    equity = Money()
    is_primary = serializers.BooleanField(help_text="The rule that decided.")
    message = serializers.CharField()


class ProgressAnswer(serializers.Serializer[Any]):
    """How far the account is from each limit; a limit of 0 is not set."""

    profit_pct = Price()
    profit_target_pct = Price()
    profit_target_progress_pct = Price()
    daily_loss_pct = Price()
    daily_loss_limit_pct = Price()
    total_loss_pct = Price()
    total_loss_limit_pct = Price()
    daily_profit_pct = Price()
    daily_profit_limit_pct = Price()
    trading_days = serializers.IntegerField()
    min_trading_days = serializers.IntegerField()
    max_trading_days = serializers.IntegerField()
    open_positions = serializers.IntegerField()
    max_positions = serializers.IntegerField()
    days_left = serializers.IntegerField(allow_null=True)
    daily_loss_floor = Money(allow_null=True, help_text="Equity at which the rule breaks.")
    total_loss_floor = Money(allow_null=True)
    next_reset_at = serializers.DateTimeField(help_text="When the next day begins.")


class EvaluationAnswer(serializers.Serializer[Any]):
    """The engine's view of an account's current attempt."""

    account_id = serializers.UUIDField()
    attempt = serializers.IntegerField()
    state = serializers.ChoiceField(choices=AccountEvaluation.State.values)
    progress = ProgressAnswer(allow_null=True, help_text="Null while no money is in the account.")
    latest_metric = MetricAnswer(allow_null=True)
    latest_breach = BreachAnswer(allow_null=True)


class MetricPageAnswer(serializers.Serializer[Any]):
    """Metrics, newest first; `next_cursor` is null on the last page."""

    data = MetricAnswer(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


class BreachPageAnswer(serializers.Serializer[Any]):
    """Breaches, newest first; `next_cursor` is null on the last page."""

    data = BreachAnswer(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    has_more = serializers.BooleanField()


class EntriesQuery(QuerySerializer):
    """Page of an attempt's entries; by default the current attempt's."""

    attempt = WholeNumber(min_value=1, max_value=2**31 - 1, required=False)
    cursor = serializers.CharField(required=False, max_length=1024)
    limit = PageLimit()


class RuleEngineView(PartnerView):
    """Base: the endpoints exist for firms with the rule engine only."""

    permissions: ClassVar[dict[str, str]] = {"GET": ACCOUNTS_READ}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not self.firm.has_rule_engine:
            raise NotFound()


class EvaluationView(RuleEngineView):
    """Where an account stands under its rules; 404 for accounts without the engine."""

    @extend_schema(operation_id="get_account_evaluation", responses=EvaluationAnswer)
    def get(self, request: Request, account_id: str) -> Response:
        return Response(get_evaluation(account_id=account_id_of(account_id), now=utc_now()))


class EvaluationMetricsView(RuleEngineView):
    """The metrics of an attempt, at most one a minute and one with the verdict."""

    @extend_schema(
        operation_id="list_account_metrics",
        parameters=[EntriesQuery],
        responses=MetricPageAnswer,
    )
    def get(self, request: Request, account_id: str) -> Response:
        return answer_page(request, account_id, list_metrics, name="metrics")


class EvaluationBreachesView(RuleEngineView):
    """The rules that an attempt broke."""

    @extend_schema(
        operation_id="list_account_breaches",
        parameters=[EntriesQuery],
        responses=BreachPageAnswer,
    )
    def get(self, request: Request, account_id: str) -> Response:
        return answer_page(request, account_id, list_breaches, name="breaches")


def answer_page(request: Request, account_id: str, list_entries: Any, *, name: str) -> Response:
    """One page of an account's entries, with a cursor of this list alone."""
    found_id = account_id_of(account_id)
    query = read_query(request, EntriesQuery)
    limit, cursor = query.pop("limit"), query.pop("cursor", None)
    scope = {"list": name, "account": str(found_id), **query}
    page: EntryPage = list_entries(
        account_id=found_id,
        attempt=query.get("attempt"),
        before_seq=decode_list_cursor(cursor, scope=scope),
        limit=limit,
    )
    return Response(
        {
            "data": page.rows,
            "next_cursor": (
                encode_list_cursor(page.last_seq, scope=scope) if page.has_more else None
            ),
            "has_more": page.has_more,
        }
    )


ONE = "accounts/<str:account_id>/evaluation"

urlpatterns = [
    path(ONE, EvaluationView.as_view()),
    path(f"{ONE}/metrics", EvaluationMetricsView.as_view()),
    path(f"{ONE}/breaches", EvaluationBreachesView.as_view()),
]
