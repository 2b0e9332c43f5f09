"""Accounts of the firm's traders: list, everything about one, and what staff may do to it."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from polysim.kernel.clock import utc_now
from polysim.kernel.tenancy import current_schema
from tenants.models import Participant
from tenants.office.admin.screens import Command, ReasonForm, Screen, is_id, register
from tenants.office.admin.traders import is_uuid
from tenants.office.admin_site import actor_of, backoffice, firm_of, may
from tenants.office.cells import column, link, moment_text, tag
from trading.formats import money_text, signed_money_text
from trading.models import Order, Trade
from trading.selectors.envelopes import get_envelope
from trading.selectors.pages.accounts import read_firm_account
from trading.selectors.pages.portfolio import list_account_orders
from trading.services.firm_accounts import close_account, reset_account, switch_trading
from trading.templatetags.polysim import value_class
from wallets.models import FirmAccount, Wallet
from wallets.selectors import list_ledger

ROWS_SHOWN = 50
ZERO = Decimal(0)


def account_state(row: FirmAccount) -> tuple[str, str]:
    """The state of an account in a word, and its tone."""
    if row.status != FirmAccount.Status.ACTIVE:
        return row.get_status_display().lower(), ""
    if row.wallet.trading_state == Wallet.TradingState.READ_ONLY:
        return "read-only", "warn"
    return "active", "gain"


def traders_of(request: HttpRequest, user_ids: Sequence[int]) -> dict[int, Participant]:
    """The firm's traders by user, one query."""
    rows = Participant.objects.filter(firm=firm_of(request), user_id__in=user_ids)
    return {row.user_id: row for row in rows}


def trader_users(term: str, schema: str) -> QuerySet[Participant, int]:
    """Users of the firm's traders whom a term names by external id, e-mail or user id."""
    named = Q(external_id=term) | Q(email=term.lower())
    if is_uuid(term):
        named |= Q(tenant_user_id=term)
    rows = Participant.objects.filter(named, firm__schema_name=schema)
    return rows.values_list("user_id", flat=True)


def _switch(is_enabled: bool) -> Callable[[HttpRequest, Any, Mapping[str, Any]], str]:
    def run(request: HttpRequest, row: FirmAccount, data: Mapping[str, Any]) -> str:
        switch_trading(
            wallet_id=row.pk,
            is_enabled=is_enabled,
            reason=data["reason"],
            actor=actor_of(request),
            now=utc_now(),
        )
        words = "may trade again" if is_enabled else "is read-only; its open orders are cancelled"
        return f"Account {row.pk} {words}."

    return run


def _close(request: HttpRequest, row: FirmAccount, data: Mapping[str, Any]) -> str:
    close_account(wallet_id=row.pk, reason=data["reason"], actor=actor_of(request), now=utc_now())
    return f"Account {row.pk} is closed. Its figures are frozen."


def _reset(request: HttpRequest, row: FirmAccount, data: Mapping[str, Any]) -> str:
    envelope = reset_account(
        wallet_id=row.pk, reason=data["reason"], actor=actor_of(request), now=utc_now()
    )
    return f"Attempt {envelope['attempt']} of account {row.pk} begins at its starting balance."


def _why_not_changed(request: HttpRequest, row: FirmAccount) -> str:
    if row.status != FirmAccount.Status.ACTIVE:
        return "The account is closed."
    return "A program runs this account: decide on its challenge." if row.is_managed else ""


def _why_not_off(request: HttpRequest, row: FirmAccount) -> str:
    is_off = row.wallet.trading_state != Wallet.TradingState.OPEN
    return _why_not_changed(request, row) or ("It is read-only already." if is_off else "")


def _why_not_on(request: HttpRequest, row: FirmAccount) -> str:
    is_on = row.wallet.trading_state == Wallet.TradingState.OPEN
    return _why_not_changed(request, row) or ("It may trade." if is_on else "")


@register(FirmAccount)
class AccountScreen(Screen):
    """One wallet each, with its rules, figures and history."""

    slug = "accounts"
    title = "Accounts"
    view_right = "accounts.view"
    summary = "What traders trade on. Figures of a row are those of its last trade."
    empty_words = "No account yet. The firm's server opens them over the partner API."
    search_words = "Account number, id, external id, trader"
    detail_template = "office/account.html"
    ordering = ("-wallet",)
    list_display = ("name_cell", "trader_cell", "stage_cell", "state", "cash", "result", "trades")
    list_filter = ("stage", "status", "is_managed", "wallet__trading_state")
    list_select_related = ("wallet",)
    commands = (
        Command(
            "read-only",
            "Make read-only",
            "accounts.switch",
            "Cancels the open orders and refuses new ones; the trader reads the reason. "
            "Positions stay.",
            _switch(is_enabled=False),
            form=ReasonForm,
            why_not=_why_not_off,
        ),
        Command(
            "enable",
            "Allow trading",
            "accounts.switch",
            "New orders are taken again.",
            _switch(is_enabled=True),
            form=ReasonForm,
            why_not=_why_not_on,
        ),
        Command(
            "reset",
            "Reset",
            "accounts.reset",
            "Cancels orders, writes positions off without proceeds and begins the next attempt at "
            "the starting balance.",
            _reset,
            form=ReasonForm,
            why_not=_why_not_changed,
        ),
        Command(
            "close",
            "Close",
            "accounts.close",
            "Ends the account for good: orders are cancelled, positions stay unsold, the figures "
            "are frozen. There is no way back.",
            _close,
            form=ReasonForm,
            tone="danger",
            why_not=_why_not_changed,
        ),
    )
    csv_columns = {
        "account": lambda row: row.pk,
        "account_id": lambda row: row.wallet.account_id,
        "external_id": lambda row: row.external_id,
        "trader": lambda row: row.trader.external_id if row.trader else "",
        "stage": lambda row: row.stage,
        "status": lambda row: account_state(row)[0],
        "starting_balance": lambda row: row.starting_balance,
        "cash": lambda row: row.wallet.balance + row.wallet.reserved,
        "realized_pnl": lambda row: row.realized_pnl,
        "trades": lambda row: row.trades_count,
        "last_trade_at": lambda row: row.last_trade_at,
        "created_at": lambda row: row.created_at,
    }

    def name_of(self, row: Any) -> str:
        return f"Account {row.pk}"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("wallet")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = Q(external_id=term) | Q(external_id__istartswith=term)
        if is_id(term):
            named |= Q(pk=int(term))
        if is_uuid(term):
            named |= Q(wallet__account_id=term)
        users = list(trader_users(term, current_schema()))
        return queryset.filter(named | Q(wallet__user_id__in=users))

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        traders = traders_of(request, [row.wallet.user_id for row in rows])
        for row in rows:
            row.trader = traders.get(row.wallet.user_id)

    @column("Account", order="wallet")
    def name_cell(self, row: FirmAccount) -> Any:
        return link(self.address_of(row), row.pk, sub=row.external_id)

    @column("Trader")
    def trader_cell(self, row: Any) -> Any:
        if row.trader is None:
            return "–"
        address = reverse("backoffice:traders_detail", args=[row.trader.pk])
        return link(address, row.trader.external_id, sub=row.trader.email)

    @column("Stage", order="stage")
    def stage_cell(self, row: FirmAccount) -> Any:
        return row.stage

    @column("State", order="status")
    def state(self, row: FirmAccount) -> Any:
        return tag(*account_state(row))

    @column("Cash", order="wallet__balance", is_number=True)
    def cash(self, row: FirmAccount) -> Any:
        return money_text(row.wallet.balance + row.wallet.reserved)

    @column("Realised", order="realized_pnl", is_number=True)
    def result(self, row: FirmAccount) -> Any:
        return tag(signed_money_text(row.realized_pnl), f"bare {value_class(row.realized_pnl)}")

    @column("Last trade", order="last_trade_at")
    def trades(self, row: FirmAccount) -> Any:
        return moment_text(row.last_trade_at)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        account = read_firm_account(wallet_id=row.pk, firm=firm_of(request))
        assert account is not None
        trades = Trade.objects.filter(wallet_id=row.pk).select_related("market", "outcome")
        ended = Order.objects.filter(wallet_id=row.pk).exclude(status=Order.Status.PENDING)
        ended = ended.select_related("market", "outcome").defer("market__description", "answer")
        words, tone = account_state(row)
        return {
            "account": account,
            "envelope": get_envelope(wallet_id=row.pk, now=utc_now()),
            "state": words,
            "tone": tone,
            "trader": traders_of(request, [row.wallet.user_id]).get(row.wallet.user_id),
            "open_orders": list_account_orders(account=account),
            "ended_orders": list(ended.order_by("-id")[:ROWS_SHOWN]),
            "trades": list(trades.order_by("-seq")[:ROWS_SHOWN]),
            "ledger": list_ledger(wallet_id=row.pk, limit=ROWS_SHOWN),
            "can_support": may(request, "traders.support"),
            "has_rail": may(request, "traders.support"),
        }


def account_context(request: HttpRequest, wallet_id: int) -> dict[str, Any]:
    """An account's positions at their marks and the end of its ledger, for other pages."""
    account = read_firm_account(wallet_id=wallet_id, firm=firm_of(request))
    if account is None:
        return {"account": None}
    return {"account": account, "ledger": list_ledger(wallet_id=wallet_id, limit=ROWS_SHOWN)}


def find_account(request: HttpRequest, term: str) -> str | None:
    """The page of the one account that a term names."""
    if not may(request, "accounts.view"):
        return None
    named = Q(external_id=term)
    if is_id(term):
        named |= Q(pk=int(term))
    if is_uuid(term):
        named |= Q(wallet__account_id=term)
    found = FirmAccount.objects.filter(named).order_by("pk").first()
    return reverse("backoffice:accounts_detail", args=[found.pk]) if found else None


backoffice.finders.append(find_account)
