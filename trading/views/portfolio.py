"""`/portfolio/`: equity, positions, open orders, history and ledger of the active account."""

import csv
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from polysim.kernel.clock import iso_text, utc_now
from polysim.kernel.errors import NotFound
from trading.charts import Chart, draw_equity_chart
from trading.selectors.pages.accounts import Account
from trading.selectors.pages.portfolio import (
    PERIODS,
    count_account_orders,
    find_period,
    list_account_orders,
    read_equity_points,
    read_history,
    read_profit_today,
)
from trading.views.common import signed_in
from trading.views.context import get_shell
from trading.views.market import charts_path, json_points, offset_s
from wallets.selectors import list_ledger

TABS = (
    ("positions", "Positions"),
    ("orders", "Open orders"),
    ("history", "History"),
    ("ledger", "Ledger"),
)
LEDGER_ROWS = 50
CSV_ROWS_MAX = 10_000
FORMULA_STARTS = ("=", "+", "-", "@")


@require_safe
@signed_in
def portfolio_page(request: HttpRequest) -> HttpResponse:
    """The page with one tab."""
    account = _account(request)
    shell = get_shell(request)
    period = find_period(request.GET.get("period"))
    now = utc_now()
    with account.building():
        context = account_tab(request, account)
        chart = _chart(request, account)
        context |= {
            "period": period,
            "periods": PERIODS,
            "chart": chart,
            "today": read_profit_today(account=account, zone=shell.zone, now=now),
            "order_count": count_account_orders(account=account),
            "charts_path": charts_path(),
        }
    return render(request, "portfolio.html", context)


@require_safe
@signed_in
def tab_fragment(request: HttpRequest) -> HttpResponse:
    """The tab's content, after the account changed."""
    account = _account(request)
    with account.building():
        context = account_tab(request, account)
        context["order_count"] = count_account_orders(account=account)
    return render(request, "parts/portfolio_tab.html", context)


@require_safe
@signed_in
def equity_points(request: HttpRequest) -> HttpResponse:
    """The equity curve as JSON."""
    account = _account(request)
    with account.building():
        chart = _chart(request, account)
    return JsonResponse(
        {
            "kind": "equity",
            "title": chart.title,
            "step_s": 3600,
            "offset_s": offset_s(get_shell(request).zone),
            "points": json_points(chart),
            "baseline": f"{account.wallet.baseline:f}",
            "marks": [],
        }
    )


def _account(request: HttpRequest) -> Account:
    account = get_shell(request).account
    if account is None:
        raise NotFound("There is no account here yet.")
    return account


def _chart(request: HttpRequest, account: Account) -> Chart:
    period = find_period(request.GET.get("period"))
    points = read_equity_points(account=account, period=period, now=utc_now())
    return draw_equity_chart(points, baseline=account.wallet.baseline, zone=get_shell(request).zone)


def _tab(request: HttpRequest) -> str:
    asked = request.GET.get("tab", "positions")
    return asked if asked in dict(TABS) else "positions"


def account_tab(request: HttpRequest, account: Account) -> dict[str, Any]:
    """What the chosen tab shows of an account, read in its building."""
    tab = _tab(request)
    context: dict[str, Any] = {
        "section": "portfolio",
        "account": account,
        "tab": tab,
        "tabs": TABS,
        "search": request.GET.get("q", "").strip()[:120],
    }
    cursor = request.GET.get("after", "")[:200]
    if tab == "positions":
        wanted = context["search"].casefold()
        shown = [h for h in account.holdings if wanted in h.position.market.question.casefold()]
        context["holdings"] = sorted(shown, key=lambda holding: -holding.value)
        context["hidden_count"] = len(account.holdings) - len(shown)
        known = [holding.profit for holding in shown if holding.profit is not None]
        context["value_total"] = sum((holding.value for holding in shown), Decimal(0))
        context["profit_total"] = sum(known, Decimal(0))
        cost = sum((holding.position.cost for holding in shown), Decimal(0))
        context["profit_ratio"] = context["profit_total"] / cost if cost else None
    elif tab == "orders":
        context["open_orders"] = list_account_orders(account=account)
    elif tab == "history":
        context["history"] = read_history(account=account, cursor=cursor, now=utc_now())
    else:
        before = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 19 else None
        rows = list_ledger(wallet_id=account.id, limit=LEDGER_ROWS + 1, before_id=before)
        context["ledger"] = rows[:LEDGER_ROWS]
        if len(rows) > LEDGER_ROWS:
            context["ledger_after"] = rows[LEDGER_ROWS - 1].transaction_id
    return context


@require_safe
@signed_in
def download(request: HttpRequest) -> HttpResponse:
    """The chosen tab as CSV: plain decimal numbers, UTC times, RFC 4180."""
    account = _account(request)
    tab = _tab(request)
    with account.building():
        rows = list(_csv_rows(tab, account))
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"polysim-{tab}-{account.id}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response)
    writer.writerows([[_safe_cell(cell) for cell in row] for row in rows])
    return response


def _safe_cell(cell: Any) -> str:
    """Text that a spreadsheet would run as a formula is quoted; numbers stay numbers."""
    if isinstance(cell, Decimal):
        return f"{cell:f}"
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def _csv_rows(tab: str, account: Account) -> Iterator[list[Any]]:
    if tab == "positions":
        yield [
            "market_id",
            "question",
            "outcome",
            "shares",
            "average_price",
            "mark",
            "value",
            "profit",
            "opened_at",
        ]
        for holding in account.holdings:
            row = holding.position
            yield [
                row.market.condition_id,
                row.market.question,
                row.outcome.label,
                row.quantity,
                row.average_price,
                holding.mark,
                holding.value,
                holding.profit,
                iso_text(row.opened_at),
            ]
    elif tab == "orders":
        yield [
            "order_id",
            "market_id",
            "question",
            "side",
            "outcome",
            "price",
            "shares",
            "filled",
            "time_in_force",
            "expires_at",
            "created_at",
        ]
        for order in list_account_orders(account=account):
            yield [
                order.id,
                order.market.condition_id,
                order.market.question,
                order.side,
                order.outcome.label,
                order.price,
                order.quantity,
                order.filled_quantity,
                order.time_in_force,
                iso_text(order.expires_at),
                iso_text(order.created_at),
            ]
    elif tab == "history":
        yield from _history_csv(account)
    else:
        yield [
            "transaction_id",
            "type",
            "reference",
            "amount",
            "reserved_amount",
            "cash_after",
            "created_at",
        ]
        for entry in list_ledger(wallet_id=account.id, limit=CSV_ROWS_MAX):
            yield [
                entry.transaction_id,
                entry.type,
                entry.reference,
                entry.amount,
                entry.reserved_amount,
                entry.balance_after,
                iso_text(entry.created_at),
            ]


def _history_csv(account: Account) -> Iterator[list[Any]]:
    yield [
        "kind",
        "id",
        "market_id",
        "question",
        "side",
        "outcome",
        "shares",
        "price",
        "cash",
        "fee",
        "profit",
        "at",
    ]
    cursor, count, is_more = "", 0, True
    while is_more and count < CSV_ROWS_MAX:
        page = read_history(account=account, cursor=cursor, now=utc_now())
        for entry in page.entries:
            count += 1
            fill, paid = entry.fill, entry.settlement
            if fill is not None:
                yield [
                    "fill",
                    fill.fill_id,
                    fill.condition_id,
                    fill.market_question,
                    fill.side,
                    fill.outcome,
                    fill.quantity,
                    fill.price,
                    fill.notional,
                    fill.fee,
                    fill.realized_pnl,
                    iso_text(entry.at),
                ]
            elif paid is not None:
                yield [
                    "settlement",
                    paid.position_id,
                    paid.condition_id,
                    paid.market_question,
                    "",
                    paid.outcome,
                    paid.quantity,
                    paid.payout_per_share,
                    paid.payout,
                    Decimal(0),
                    paid.realized_pnl,
                    iso_text(entry.at),
                ]
        cursor = page.next_cursor
        is_more = bool(cursor)
