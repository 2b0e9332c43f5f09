"""The queue of payouts: how each amount came about, and who decides."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import current_schema
from prop.admin.cells import PAYOUT_TONES, money_cell, percent_text, trader_cell
from prop.models import Payout, PayoutStatus, PropSettings
from prop.services.payouts import approve_payout, reject_payout
from tenants.office.admin.screens import Command, ReasonForm, Screen, is_id, register
from tenants.office.admin_site import actor_of
from tenants.office.cells import column, link, moment_text, tag, with_sub
from trading.admin.accounts import trader_users, traders_of

LATE_AFTER_H = 24


def age_words(since: datetime, now: datetime) -> str:
    """40 min, 31 h, 4 d."""
    minutes = max(0, int((now - since).total_seconds() // 60))
    if minutes < 60:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h" if hours < 72 else f"{hours // 24} d"


def _approve(request: HttpRequest, row: Payout, data: Mapping[str, Any]) -> str:
    done = approve_payout(payout_id=row.pk, actor=actor_of(request), now=utc_now())
    if done.status == PayoutStatus.PENDING:
        return "Your approval is noted. Somebody else has to give the second."
    return f"Approved; {money_cell(done.amount, done.currency)} is being booked."


def _reject(request: HttpRequest, row: Payout, data: Mapping[str, Any]) -> str:
    reject_payout(payout_id=row.pk, reason=data["reason"], actor=actor_of(request), now=utc_now())
    return "Rejected. The money stays in the funded account."


def _why_decided(request: HttpRequest, row: Payout) -> str:
    if row.status != PayoutStatus.PENDING:
        return f"It is {row.get_status_display()}."
    return ""


def _why_not_approve(request: HttpRequest, row: Payout) -> str:
    if row.first_approval_by_id is not None and row.first_approval_by_id == request.user.pk:
        return "You gave the first approval; somebody else gives the second."
    return _why_decided(request, row)


@register(Payout)
class PayoutScreen(Screen):
    """Profit of funded phases and its split."""

    slug = "payouts"
    title = "Payouts"
    view_right = "payouts.view"
    summary = "Approving books three ledger entries, once."
    empty_words = "No payout yet. They are made when a funded phase ends."
    search_words = "Payout, challenge, account or trader"
    detail_template = "office/payout.html"
    ordering = ("status", "created_at")
    list_display = ("name", "trader", "profit", "split", "amount", "state", "approved", "age")
    list_filter = ("status",)
    list_select_related = ("program",)
    csv_columns: ClassVar[Mapping[str, Any]] = {
        "id": lambda row: row.pk,
        "challenge_id": lambda row: row.challenge_id,
        "trader": lambda row: row.trader.external_id if row.trader else "",
        "customer_id": lambda row: row.customer_id,
        "payer": lambda row: row.payer_login,
        "funded": lambda row: row.funded_login,
        "profit": lambda row: row.profit,
        "profit_split": lambda row: row.profit_split,
        "amount": lambda row: row.amount,
        "firm_amount": lambda row: row.firm_amount,
        "currency": lambda row: row.currency,
        "status": lambda row: row.get_status_display(),
        "reason": lambda row: row.reason,
        "created_at": lambda row: row.created_at,
        "paid_at": lambda row: row.paid_at,
    }
    commands = (
        Command(
            "approve",
            "Approve",
            "payouts.decide",
            "Books the profit out of the funded account, the trader's part to the payer account "
            "and the rest to the firm's ledger.",
            _approve,
            tone="primary",
            why_not=_why_not_approve,
        ),
        Command(
            "reject",
            "Reject",
            "payouts.decide",
            "Nothing is paid; the money stays in the funded account. This is final.",
            _reject,
            form=ReasonForm,
            tone="danger",
            why_not=_why_decided,
        ),
    )

    def name_of(self, row: Any) -> str:
        return f"Payout {row.pk}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        return rows.select_related("program", "first_approval_by", "decided_by")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = Q(customer_id__in=list(trader_users(term, current_schema())))
        if is_id(term):
            number = int(term)
            named |= Q(pk=number) | Q(challenge=number)
            named |= Q(payer_login=number) | Q(funded_login=number)
        return queryset.filter(named)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        traders = traders_of(request, [row.customer_id for row in rows])
        limit = _four_eyes_above()
        for row in rows:
            row.trader = traders.get(row.customer_id)
            row.needs_two = limit is not None and row.amount > limit

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        return {"four_eyes_above": _four_eyes_above()}

    @column("Payout", order="id")
    def name(self, row: Payout) -> Any:
        return link(self.address_of(row), row.pk, sub=row.program.name if row.program else "")

    @column("Trader")
    def trader(self, row: Any) -> Any:
        return trader_cell(row)

    @column("Profit", order="profit", is_number=True)
    def profit(self, row: Payout) -> Any:
        return money_cell(row.profit, row.currency)

    @column("Split", is_number=True)
    def split(self, row: Payout) -> Any:
        return percent_text(row.profit_split * 100)

    @column("Amount", order="amount", is_number=True)
    def amount(self, row: Payout) -> Any:
        return money_cell(row.amount, row.currency)

    @column("State", order="status")
    def state(self, row: Payout) -> Any:
        return with_sub(
            tag(row.get_status_display(), PAYOUT_TONES[PayoutStatus(row.status)]), row.reason
        )

    @column("Approved")
    def approved(self, row: Any) -> Any:
        if row.status in (PayoutStatus.APPROVED, PayoutStatus.PAID):
            return "yes"
        if row.status != PayoutStatus.PENDING:
            return "–"
        given = 1 if row.first_approval_by_id else 0
        return f"{given} of {2 if row.needs_two else 1}"

    @column("Age", order="created_at", is_number=True)
    def age(self, row: Payout) -> Any:
        if row.status != PayoutStatus.PENDING:
            return moment_text(row.paid_at or row.decided_at or row.created_at)
        now = utc_now()
        is_late = (now - row.created_at).total_seconds() > LATE_AFTER_H * 3600
        words = age_words(row.created_at, now)
        return tag(words, "warn") if is_late else words

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        self.prepare(request, [row])
        return {
            "state": tag(row.get_status_display(), PAYOUT_TONES[PayoutStatus(row.status)]),
            "split": self.split(row),
            "age": age_words(row.created_at, utc_now()),
            "four_eyes_above": _four_eyes_above(),
        }


def _four_eyes_above() -> Any:
    chosen = PropSettings.objects.order_by("pk").values_list("four_eyes_above", flat=True)
    return chosen.first()
