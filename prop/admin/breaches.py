"""Breaches: evidence of what failed phases, read-only, with the verdict replayed."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import current_schema
from prop.admin.cells import rule_words
from prop.admin.challenge_page import read_verdict
from prop.models import RuleBreach, Verdict
from prop.rules import RULES
from tenants.office.admin.screens import Screen, is_id, register
from tenants.office.admin_site import zone_of
from tenants.office.cells import column, link, moment_text, tag, with_sub
from trading.admin.accounts import trader_users, traders_of
from trading.formats import money_text
from trading.selectors.pages.office import start_of_local_day


class BreachRuleFilter(SimpleListFilter):
    """By rule."""

    title = "Rule"
    parameter_name = "rule"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(rule.name, rule.title) for rule in RULES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(rule=self.value()) if self.value() else queryset


class DayFilter(SimpleListFilter):
    """Of the firm's local day."""

    title = "When"
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("today", "Today")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "today":
            return queryset
        return queryset.filter(created_at__gte=start_of_local_day(utc_now(), zone_of(request)))


@register(RuleBreach)
class BreachScreen(Screen):
    """Every fail rule that fired."""

    slug = "breaches"
    title = "Breaches"
    view_right = "challenges.view"
    summary = "Evidence: rule, limit, value and equity at the deciding pass. Never changed."
    empty_words = "No breach yet."
    search_words = "Breach, challenge, account or trader"
    detail_template = "office/breach.html"
    ordering = ("-created_at",)
    list_display = ("name", "trader", "figures", "equity", "kind", "when")
    list_filter = (BreachRuleFilter, "is_primary", DayFilter)
    list_select_related = ("challenge__program",)
    csv_columns: ClassVar[Mapping[str, Any]] = {
        "id": lambda row: row.pk,
        "challenge_id": lambda row: row.challenge_id,
        "phase_index": lambda row: row.phase_index,
        "account": lambda row: row.account_login,
        "rule": lambda row: row.rule,
        "limit": lambda row: row.limit_value,
        "actual": lambda row: row.actual_value,
        "basis": lambda row: row.basis_value,
        "balance": lambda row: row.balance,
        "equity": lambda row: row.equity,
        "is_primary": lambda row: row.is_primary,
        "created_at": lambda row: row.created_at,
    }

    def name_of(self, row: Any) -> str:
        return f"Breach {row.pk}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("challenge__program")
        return rows.defer("challenge__terms", "challenge__program__description")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        users = list(trader_users(term, current_schema()))
        named = Q(challenge__customer__in=users)
        if is_id(term):
            number = int(term)
            named |= Q(pk=number) | Q(challenge=number) | Q(account_login=number)
        return queryset.filter(named)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        traders = traders_of(request, [row.challenge.customer_id for row in rows])
        for row in rows:
            row.trader_row = traders.get(row.challenge.customer_id)

    @column("Rule", order="rule")
    def name(self, row: RuleBreach) -> Any:
        return link(self.address_of(row), rule_words(row.rule), sub=f"breach {row.pk}")

    @column("Trader")
    def trader(self, row: Any) -> Any:
        who = row.trader_row.external_id if row.trader_row else row.challenge.customer_id
        address = reverse("backoffice:challenges_detail", args=[row.challenge_id])
        return link(address, who, sub=f"{row.challenge.program.name}, phase {row.phase_index}")

    @column("Limit, value", is_number=True)
    def figures(self, row: RuleBreach) -> Any:
        return with_sub(f"{row.actual_value:.6g}", f"limit {row.limit_value:.6g}")

    @column("Equity", order="equity", is_number=True)
    def equity(self, row: RuleBreach) -> Any:
        return money_text(row.equity)

    @column("Kind", order="is_primary")
    def kind(self, row: RuleBreach) -> Any:
        return tag("primary", "loss") if row.is_primary else tag("also fired")

    @column("When", order="created_at")
    def when(self, row: RuleBreach) -> Any:
        return moment_text(row.created_at)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        verdict = Verdict.objects.filter(phase=row.phase_id).first()
        customer = row.challenge.customer_id
        return {
            "rule": rule_words(row.rule),
            "trader": traders_of(request, [customer]).get(customer),
            "verdict": read_verdict(verdict, row.phase) if verdict else None,
        }
