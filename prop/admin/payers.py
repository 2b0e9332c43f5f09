"""Payer accounts: what traders pay with and are paid to."""

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import current_schema
from prop.admin.cells import money_cell, trader_cell
from prop.models import PropAccount, Purchase
from prop.services.payers import add_balance
from tenants.office.admin.screens import Command, Screen, is_id, register
from tenants.office.admin_site import actor_of
from tenants.office.cells import column, link, moment_text
from trading.admin.accounts import trader_users, traders_of
from wallets.selectors import list_ledger


class BalanceForm(forms.Form):
    """How much, and why. The key makes a second click book nothing."""

    amount = forms.DecimalField(
        max_digits=14, decimal_places=2, help_text="Dollars; negative takes money out."
    )
    comment = forms.CharField(max_length=200, help_text="Kept in the ledger and the audit log.")
    idempotency_key = forms.CharField(max_length=64, widget=forms.HiddenInput)

    def prepare(self, request: HttpRequest, row: Any) -> None:
        """A key for this visit to the form."""
        self.fields["idempotency_key"].initial = secrets.token_hex(16)


def _add(request: HttpRequest, row: PropAccount, data: Mapping[str, Any]) -> str:
    change = add_balance(
        login=row.pk,
        amount=data["amount"],
        comment=data["comment"],
        idempotency_key=data["idempotency_key"],
        actor=actor_of(request),
        now=utc_now(),
    )
    return f"Booked. The balance is {money_cell(change.balance)}."


@register(PropAccount)
class PayerScreen(Screen):
    """One payer account a trader."""

    slug = "payers"
    title = "Payer accounts"
    view_right = "payouts.view"
    summary = "Challenges are paid from them, profits are paid to them."
    empty_words = "No payer account yet. They open when a trader first looks at the shop."
    search_words = "Account or trader"
    detail_template = "office/payer.html"
    ordering = ("-wallet",)
    list_display = ("name", "trader", "balance", "group_cell", "made")
    list_select_related = ("wallet", "group")
    csv_columns: ClassVar[Mapping[str, Any]] = {
        "account": lambda row: row.pk,
        "trader": lambda row: row.trader.external_id if row.trader else "",
        "customer_id": lambda row: row.customer_id,
        "balance": lambda row: row.wallet.balance,
        "group": lambda row: row.group.group,
        "created_at": lambda row: row.created_at,
    }
    commands = (
        Command(
            "add",
            "Book money",
            "balances.add",
            "A ledger entry on this account; it never goes below zero.",
            _add,
            form=BalanceForm,
            tone="primary",
        ),
    )

    def name_of(self, row: Any) -> str:
        return f"Payer account {row.pk}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).filter(purpose=PropAccount.Purpose.PAYER)
        return rows.select_related("wallet", "group")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = Q(customer_id__in=list(trader_users(term, current_schema())))
        return queryset.filter(named | Q(pk=int(term)) if is_id(term) else named)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        traders = traders_of(request, [row.customer_id for row in rows])
        for row in rows:
            row.trader = traders.get(row.customer_id)

    @column("Account", order="wallet")
    def name(self, row: PropAccount) -> Any:
        return link(self.address_of(row), row.pk)

    @column("Trader")
    def trader(self, row: Any) -> Any:
        return trader_cell(row)

    @column("Balance", order="wallet__balance", is_number=True)
    def balance(self, row: PropAccount) -> Any:
        return money_cell(row.wallet.balance)

    @column("Group", order="group")
    def group_cell(self, row: PropAccount) -> Any:
        return row.group.group

    @column("Opened", order="created_at")
    def made(self, row: PropAccount) -> Any:
        return moment_text(row.created_at)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        bought = Purchase.objects.filter(payer_login=row.pk).select_related("program")
        return {
            "trader": traders_of(request, [row.customer_id]).get(row.customer_id),
            "ledger": list_ledger(wallet_id=row.pk, limit=50),
            "purchases": list(bought.defer("terms", "program__description").order_by("-id")[:20]),
        }
