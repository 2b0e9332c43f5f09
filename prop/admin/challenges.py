"""Challenges: the list with live rooms, the page of one, and what staff decide."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, path, reverse

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import current_schema
from prop.admin.cells import challenge_tag, room_cell
from prop.admin.challenge_page import evidence_of, read_challenge_page
from prop.models import Challenge, ChallengePhase, ChallengeStatus, PhaseType, Program
from prop.rules import RULES
from prop.selectors.evaluator import read_last_pass
from prop.selectors.rooms import list_near_breach, read_rooms, valued_phases
from prop.services.challenge_control import (
    cancel_challenge,
    close_funded_phase,
    reset_challenge,
)
from tenants.models import Participant
from tenants.office.admin.screens import (
    CSV_ROWS_MAX,
    Command,
    ReasonForm,
    Screen,
    csv_answer,
    is_id,
    register,
)
from tenants.office.admin_site import actor_of, backoffice, firm_of, may, require_right, zone_of
from tenants.office.cells import column, link, moment_text, with_sub
from trading.admin.accounts import account_context, trader_users, traders_of
from trading.formats import money_text, signed_money_text
from trading.selectors.pages.office import start_of_local_day
from trading.templatetags.polysim import value_class

RUNNING = (ChallengeStatus.PENDING, ChallengeStatus.ACTIVE)


class ProgramFilter(SimpleListFilter):
    """By program."""

    title = "Program"
    parameter_name = "program"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = Program.objects.order_by("sort_index", "id").values_list("pk", "name")[:100]
        return [(str(pk), name) for pk, name in rows]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(program=int(value)) if value and is_id(value) else queryset


class RuleFilter(SimpleListFilter):
    """By the rule that failed them."""

    title = "Failed by"
    parameter_name = "rule"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(rule.name, rule.title) for rule in RULES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(fail_rule=self.value()) if self.value() else queryset


class NearBreachFilter(SimpleListFilter):
    """Those with less than 20 % of a loss limit left, at the prices of now."""

    title = "Near breach"
    parameter_name = "near"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "Room below 20%")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "1":
            return queryset
        near = list_near_breach(now=utc_now())
        return queryset.filter(pk__in=[room.phase.challenge_id for room in near])


class StageFilter(SimpleListFilter):
    """By the kind of the phase it stands in."""

    title = "Stage"
    parameter_name = "stage"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("0", "Evaluation"), ("1", "Funded")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("0", "1"):
            return queryset
        phases = ChallengePhase.objects.filter(
            challenge=OuterRef("pk"),
            phase_type=int(self.value() or 0),
            status=ChallengeStatus.ACTIVE,
        )
        return queryset.filter(Exists(phases), status=ChallengeStatus.ACTIVE)


class EndedFilter(SimpleListFilter):
    """By when they ended."""

    title = "Ended"
    parameter_name = "ended"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("today", "Today")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() != "today":
            return queryset
        return queryset.filter(end_at__gte=start_of_local_day(utc_now(), zone_of(request)))


def _cancel(request: HttpRequest, row: Challenge, data: Mapping[str, Any]) -> str:
    cancel_challenge(
        challenge_id=row.pk, reason=data["reason"], actor=actor_of(request), now=utc_now()
    )
    return f"Challenge {row.pk} is cancelled; its account becomes read-only."


def _reset(request: HttpRequest, row: Challenge, data: Mapping[str, Any]) -> str:
    fresh = reset_challenge(
        challenge_id=row.pk, reason=data["reason"], actor=actor_of(request), now=utc_now()
    )
    return f"Attempt {fresh.attempt} runs as challenge {fresh.pk}."


def _close(request: HttpRequest, row: Challenge, data: Mapping[str, Any]) -> str:
    close_funded_phase(
        challenge_id=row.pk, reason=data["reason"], actor=actor_of(request), now=utc_now()
    )
    return "The funded phase is closed as passed; its payout is being worked out."


def _why_not_running(request: HttpRequest, row: Challenge) -> str:
    return "" if row.status in RUNNING else "Only a running challenge can be cancelled."


def _why_not_over(request: HttpRequest, row: Challenge) -> str:
    if row.status in (ChallengeStatus.FAILED, ChallengeStatus.CANCELLED):
        return ""
    return "Only a failed or cancelled challenge starts anew."


def _why_not_funded(request: HttpRequest, row: Challenge) -> str:
    is_funded = row.phases.filter(
        status=ChallengeStatus.ACTIVE, phase_type=PhaseType.FUNDED
    ).exists()
    return "" if is_funded else "Only an active funded phase can be closed."


DECIDE = "challenges.decide"
METRIC_NAMES = (
    "created_at",
    "phase_index",
    "event",
    "balance",
    "equity",
    "profit_target",
    "daily_loss",
    "total_loss",
    "daily_profit",
    "trading_days",
    "open_positions",
    "daily_start_equity",
)


@register(Challenge)
class ChallengeScreen(Screen):
    """One run of a purchase each; equity and rooms are of now."""

    slug = "challenges"
    title = "Challenges"
    view_right = "challenges.view"
    summary = "Equity and room at the prices of now, open positions included."
    empty_words = "No challenge yet. They begin when a trader buys a program."
    search_words = "Challenge, purchase, account or trader"
    detail_template = "office/challenge.html"
    list_display = (
        "trader",
        "program_cell",
        "state",
        "equity",
        "daily_room",
        "total_room",
        "days",
        "checked",
    )
    list_filter = ("status", ProgramFilter, StageFilter, NearBreachFilter, RuleFilter, EndedFilter)
    list_select_related = ("program",)
    csv_columns: ClassVar[Mapping[str, Any]] = {
        "id": lambda row: row.pk,
        "purchase_id": lambda row: row.purchase_id,
        "program": lambda row: row.program.name,
        "trader": lambda row: row.trader_name or "",
        "customer_id": lambda row: row.customer_id,
        "account": lambda row: row.account_login,
        "phase": lambda row: row.current_phase_index,
        "attempt": lambda row: row.attempt,
        "status": lambda row: row.get_status_display(),
        "fail_rule": lambda row: row.fail_rule,
        "start_at": lambda row: row.start_at,
        "end_at": lambda row: row.end_at,
    }
    commands = (
        Command(
            "cancel",
            "Cancel",
            DECIDE,
            "Ends the challenge now; its account becomes read-only, positions stay until they "
            "settle. Nothing is paid back.",
            _cancel,
            form=ReasonForm,
            tone="danger",
            why_not=_why_not_running,
        ),
        Command(
            "reset",
            "Reset: start the next attempt",
            DECIDE,
            "A new account, phase 1, the same terms as bought. Costs the trader nothing.",
            _reset,
            form=ReasonForm,
            tone="primary",
            why_not=_why_not_over,
        ),
        Command(
            "close",
            "Close the funded phase",
            DECIDE,
            "Ends the funded phase as passed; positions are sold and the profit is split.",
            _close,
            form=ReasonForm,
            why_not=_why_not_funded,
        ),
    )

    def name_of(self, row: Any) -> str:
        return f"Challenge {row.pk}"

    def further_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path(
                "challenges/<int:pk>/metrics.csv", guard(self.metrics_csv), name="challenge_metrics"
            ),
            path(
                "challenges/<int:pk>/evidence.json",
                guard(self.evidence_json),
                name="challenge_evidence",
            ),
        ]

    def metrics_csv(self, request: HttpRequest, pk: int) -> HttpResponse:
        """All metrics of a challenge, newest first, at most `CSV_ROWS_MAX`."""
        require_right(request, self.view_right)
        challenge = self.get_row(request, str(pk))
        rows = challenge.metrics.order_by("-created_at", "-id").values_list(*METRIC_NAMES)
        return csv_answer(f"challenge-{pk}-metrics", METRIC_NAMES, rows[:CSV_ROWS_MAX])

    def evidence_json(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The stored inputs of every verdict of a challenge, with hash and replay."""
        require_right(request, self.view_right)
        challenge = self.get_row(request, str(pk))
        response = JsonResponse(evidence_of(challenge), json_dumps_params={"indent": 2})
        response["Content-Disposition"] = f'attachment; filename="challenge-{pk}-evidence.json"'
        return response

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        trader = Participant.objects.filter(firm=firm_of(request), user=OuterRef("customer"))
        rows = super().get_queryset(request).select_related("program")
        rows = rows.annotate(trader_name=Subquery(trader.values("external_id")[:1]))
        return rows.defer("terms", "program__description")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        users = list(trader_users(term, current_schema()))
        named = Q(customer_id__in=users)
        if is_id(term):
            number = int(term)
            phases = ChallengePhase.objects.filter(account_login=number).values("challenge")
            named |= Q(pk=number) | Q(purchase_id=number) | Q(pk__in=phases)
        return queryset.filter(named)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        now = utc_now()
        chosen = valued_phases(Q(challenge__in=[row.pk for row in rows]))
        phases = list(chosen.order_by("phase_index"))
        current = {phase.challenge_id: phase for phase in phases}
        rooms = read_rooms(phases, now=now)
        last_pass_at = read_last_pass()
        for row in rows:
            row.phase = current.get(row.pk)
            row.room = rooms.get(row.pk)
            # A pass looks at all active phases: its time is that of each of them.
            is_active = row.phase is not None and row.phase.status == ChallengeStatus.ACTIVE
            ended_at = row.phase.last_evaluated_at if row.phase else None
            row.checked_at = last_pass_at if is_active else ended_at

    @column("Trader")
    def trader(self, row: Any) -> Any:
        name = row.trader_name or f"customer {row.customer_id}"
        return link(self.address_of(row), name, sub=f"{row.pk} · account {row.account_login}")

    @column("Program, phase", order="program")
    def program_cell(self, row: Any) -> Any:
        phase = f"{row.current_phase_index} {row.phase.terms.get('name', '')}" if row.phase else "–"
        return with_sub(row.program.name, phase)

    @column("State", order="status")
    def state(self, row: Any) -> Any:
        return challenge_tag(row)

    @column("Equity, today", is_number=True)
    def equity(self, row: Any) -> Any:
        if row.room is not None:
            tone = value_class(row.room.today)
            return with_sub(money_text(row.room.equity), signed_money_text(row.room.today), tone)
        return money_text(row.phase.final_equity) if row.phase else "–"

    @column("Daily loss")
    def daily_room(self, row: Any) -> Any:
        return room_cell(row.room.daily) if row.room else "–"

    @column("Total loss")
    def total_room(self, row: Any) -> Any:
        return room_cell(row.room.total) if row.room else "–"

    @column("Days", is_number=True)
    def days(self, row: Any) -> Any:
        return row.phase.trading_days if row.phase else "–"

    @column("Checked")
    def checked(self, row: Any) -> Any:
        return moment_text(row.checked_at)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        trader = traders_of(request, [row.customer_id]).get(row.customer_id)
        page = read_challenge_page(challenge=row, zone=zone_of(request), now=utc_now())
        return {
            "trader": trader,
            "page": page,
            **account_context(request, row.account_login),
            "has_rail": True,
            "state": challenge_tag(row),
            "can_support": may(request, "traders.support"),
        }


def find_challenge(request: HttpRequest, term: str) -> str | None:
    """The page of the challenge that a number names."""
    if not (may(request, "challenges.view") and is_id(term)):
        return None
    found = Challenge.objects.filter(pk=int(term)).first()
    return reverse("backoffice:challenges_detail", args=[found.pk]) if found else None


backoffice.finders.append(find_challenge)
