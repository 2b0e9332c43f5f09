"""Purchases: how far each has come, and only the steps that are legal now."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import ValidationFailed
from polysim.kernel.tenancy import current_schema
from prop.admin.cells import PURCHASE_TONES, challenge_tag, money_cell, trader_cell
from prop.admin.challenges import ProgramFilter
from prop.lifecycle import lifecycle_of
from prop.models import (
    ActivationStatus,
    PaymentStatus,
    Program,
    Purchase,
    PurchaseStatus,
)
from prop.services.grants import grant_challenge
from prop.services.purchase_records import delete_purchase, update_purchase_record
from prop.services.purchases import retry_purchase
from prop.services.refunds import refund_purchase
from tenants.models import Participant
from tenants.office.admin.screens import Command, Screen, is_id, register
from tenants.office.admin_site import actor_of, backoffice, firm_of, may
from tenants.office.cells import column, link, moment_text, tag, with_sub
from trading.admin.accounts import trader_users, traders_of


class GrantForm(forms.Form):
    """Whom to give which program, and why."""

    trader = forms.CharField(max_length=320, help_text="External id or e-mail of the trader.")
    program = forms.ChoiceField()
    comment = forms.CharField(max_length=255, help_text="Kept in the audit log.")

    def prepare(self, request: HttpRequest, row: Any) -> None:
        """Offer the firm's programs."""
        rows = Program.objects.order_by("sort_index", "id").values_list("pk", "name")
        self.fields["program"].choices = [(str(pk), name) for pk, name in rows]


def _retry(request: HttpRequest, row: Purchase, data: Mapping[str, Any]) -> str:
    retry_purchase(purchase_id=row.pk, actor=actor_of(request), now=utc_now())
    return "Tried again from the last finished step."


def _refund(request: HttpRequest, row: Purchase, data: Mapping[str, Any]) -> str:
    done = refund_purchase(purchase_id=row.pk, actor=actor_of(request), now=utc_now())
    return f"{money_cell(done.amount, done.currency)} went back to account {done.payer_login}."


class LabelsForm(forms.Form):
    """The five lifecycle fields: labels, nothing else happens."""

    status = forms.TypedChoiceField(choices=PurchaseStatus.choices, coerce=int)
    payment_status = forms.ChoiceField(choices=PaymentStatus.choices)
    activation_status = forms.ChoiceField(choices=ActivationStatus.choices)
    failure_reason = forms.CharField(
        max_length=64, required=False, help_text="Such as MANUAL_REVIEW_FAILED."
    )
    comment = forms.CharField(max_length=255, required=False)

    def prepare(self, request: HttpRequest, row: Purchase) -> None:
        """Begin with what stands there."""
        for name, field in self.fields.items():
            field.initial = getattr(row, name)


def _relabel(request: HttpRequest, row: Purchase, data: Mapping[str, Any]) -> str:
    changed = {name: value for name, value in data.items() if value != getattr(row, name)}
    update_purchase_record(purchase_id=row.pk, data=changed, actor=actor_of(request), now=utc_now())
    return "Saved. Accounts, refunds and challenges are untouched."


def _delete(request: HttpRequest, row: Purchase, data: Mapping[str, Any]) -> HttpResponse:
    gone = delete_purchase(purchase_id=row.pk, actor=actor_of(request), now=utc_now())
    messages.success(request, f"Deleted with {gone['challenges']} challenges.")
    return redirect("backoffice:purchases")


def _why_not_delete(request: HttpRequest, row: Purchase) -> str:
    if row.status in (PurchaseStatus.FAILED, PurchaseStatus.REFUNDED):
        return ""
    return "It has a challenge. Refund it first." if row.challenges.exists() else ""


def _why_not_retry(request: HttpRequest, row: Purchase) -> str:
    return "" if lifecycle(row).can_retry else "Only a failed payment or activation is retried."


def _why_not_refund(request: HttpRequest, row: Purchase) -> str:
    if row.status == PurchaseStatus.REFUNDED:
        return "It was refunded."
    return "Nothing was paid yet." if row.status == PurchaseStatus.PENDING else ""


def lifecycle(row: Purchase) -> Any:
    """next_action, can_retry, can_cancel of a purchase."""
    return lifecycle_of(
        status=row.status,
        payment_status=row.payment_status,
        failure_reason=row.failure_reason,
    )


@register(Purchase)
class PurchaseScreen(Screen):
    """Bought challenges."""

    slug = "purchases"
    title = "Purchases"
    view_right = "purchases.view"
    summary = "What traders bought and how far the activation has come."
    empty_words = "Nothing was sold yet."
    search_words = "Purchase, account or trader"
    detail_template = "office/purchase.html"
    list_display = ("name", "trader", "state", "next_step", "amount", "reason", "when")
    list_filter = ("status", ProgramFilter, "payment_status", "activation_status")
    list_select_related = ("program",)
    create_right = "challenges.decide"
    create_words = "Grant a challenge"
    create_form = GrantForm
    csv_columns: ClassVar[Mapping[str, Any]] = {
        "id": lambda row: row.pk,
        "program": lambda row: row.program.name,
        "trader": lambda row: row.trader.external_id if row.trader else "",
        "customer_id": lambda row: row.customer_id,
        "payer": lambda row: row.payer_login,
        "account": lambda row: row.account_login,
        "status": lambda row: row.get_status_display(),
        "amount": lambda row: row.amount,
        "currency": lambda row: row.currency,
        "payment_status": lambda row: row.payment_status,
        "activation_status": lambda row: row.activation_status,
        "failure_reason": lambda row: row.failure_reason,
        "created_at": lambda row: row.created_at,
        "updated_at": lambda row: row.updated_at,
    }
    commands = (
        Command(
            "retry",
            "Retry",
            "purchases.refund",
            "Goes on after the last finished step; the fee is never taken twice.",
            _retry,
            tone="primary",
            why_not=_why_not_retry,
        ),
        Command(
            "refund",
            "Refund",
            "purchases.refund",
            "Credits the amount to the payer once; a running challenge is cancelled.",
            _refund,
            tone="danger",
            why_not=_why_not_refund,
        ),
        Command(
            "labels",
            "Edit the lifecycle fields",
            "purchases.edit",
            "Writes labels and nothing else: no account, refund or challenge changes.",
            _relabel,
            form=LabelsForm,
        ),
        Command(
            "delete",
            "Delete",
            "purchases.edit",
            "Removes the purchase with its ended challenges; accounts stay and become read-only.",
            _delete,
            tone="danger",
            why_not=_why_not_delete,
        ),
    )

    def name_of(self, row: Any) -> str:
        return f"Purchase {row.pk}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("program")
        return rows.defer("terms", "program__description")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = Q(customer_id__in=list(trader_users(term, current_schema())))
        if is_id(term):
            number = int(term)
            named |= Q(pk=number) | Q(payer_login=number) | Q(account_login=number)
        return queryset.filter(named | Q(idempotency_key=term))

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        traders = traders_of(request, [row.customer_id for row in rows])
        for row in rows:
            row.trader = traders.get(row.customer_id)

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> HttpResponse:
        name = data["trader"].strip()
        traders = Participant.objects.filter(
            Q(external_id=name) | Q(email=name.lower()), firm=firm_of(request)
        )
        trader = traders.order_by("pk").first()
        if trader is None:
            raise ValidationFailed([("trader", "The firm has no such trader.")])
        purchase = grant_challenge(
            customer_id=trader.user_id,
            program_id=int(data["program"]),
            comment=data["comment"],
            actor=actor_of(request),
            now=utc_now(),
        )
        messages.success(request, f"Granted to {trader.external_id} as purchase {purchase.pk}.")
        return redirect("backoffice:purchases_detail", purchase.pk)

    @column("Purchase", order="id")
    def name(self, row: Purchase) -> Any:
        return link(self.address_of(row), row.pk, sub=row.program.name)

    @column("Trader")
    def trader(self, row: Any) -> Any:
        return trader_cell(row)

    @column("State", order="status")
    def state(self, row: Purchase) -> Any:
        return tag(
            row.get_status_display().replace("_", " "), PURCHASE_TONES[PurchaseStatus(row.status)]
        )

    @column("Next")
    def next_step(self, row: Purchase) -> Any:
        return lifecycle(row).next_action.replace("_", " ").lower()

    @column("Amount", order="amount", is_number=True)
    def amount(self, row: Purchase) -> Any:
        return money_cell(row.amount, row.currency)

    @column("Payment, activation")
    def reason(self, row: Purchase) -> Any:
        return with_sub(f"{row.payment_status}, {row.activation_status}", row.failure_reason)

    @column("Bought", order="created_at")
    def when(self, row: Purchase) -> Any:
        return moment_text(row.created_at)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        challenges = row.challenges.order_by("-attempt").defer("terms")
        return {
            "trader": traders_of(request, [row.customer_id]).get(row.customer_id),
            "state": self.state(row),
            "life": lifecycle(row),
            "challenges": [(one, challenge_tag(one)) for one in challenges],
            "steps": row.terms.get("steps", []),
        }


def find_purchase(request: HttpRequest, term: str) -> str | None:
    """The page of the purchase that a number names."""
    if not (may(request, "purchases.view") and is_id(term)):
        return None
    found = Purchase.objects.filter(pk=int(term)).first()
    return reverse("backoffice:purchases_detail", args=[found.pk]) if found else None


backoffice.finders.append(find_purchase)
