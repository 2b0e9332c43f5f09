"""The support view: a firm account as its trader sees it, read-only, each viewing logged.

It shows the terminal's own components over the firm's account alone; nobody's session is used.
"""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from polysim.kernel.clock import utc_now
from tenants.models import Participant
from tenants.office.admin_site import actor_of, backoffice, firm_of, require_right, zone_of
from tenants.office.services import write_firm_audit
from trading.charts import draw_equity_chart
from trading.selectors.pages.accounts import Account, read_firm_account
from trading.selectors.pages.portfolio import (
    PERIODS,
    count_account_orders,
    find_period,
    read_equity_points,
    read_profit_today,
)
from trading.views.portfolio import TABS, account_tab


@require_safe
def support_view(request: HttpRequest, wallet_id: int) -> HttpResponse:
    """The trader's portfolio page of one account; writes who looked at what."""
    require_right(request, "traders.support")
    firm = firm_of(request)
    account = read_firm_account(wallet_id=wallet_id, firm=firm)
    if account is None:
        raise Http404
    now = utc_now()
    context = account_tab(request, account) | _figures(request, account)
    trader = Participant.objects.filter(firm=firm, user_id=account.wallet.user_id).first()
    write_firm_audit(
        actor=actor_of(request),
        action="trader.support_viewed",
        object_type="account",
        object_id=account.wallet.account_id,
        now=now,
        after={
            "account": wallet_id,
            "trader": trader.external_id if trader else "",
            "tab": context["tab"],
        },
    )
    back = reverse("backoffice:accounts_detail", args=[wallet_id])
    context |= {"firm": firm, "trader": trader, "back": back, "is_support_view": True}
    return render(request, "office/support.html", context)


def _figures(request: HttpRequest, account: Account) -> dict[str, Any]:
    now, zone = utc_now(), zone_of(request)
    period = find_period(request.GET.get("period"))
    points = read_equity_points(account=account, period=period, now=now)
    return {
        "period": period,
        "periods": PERIODS,
        "tabs": TABS,
        "chart": draw_equity_chart(points, baseline=account.wallet.baseline, zone=zone),
        "today": read_profit_today(account=account, zone=zone, now=now),
        "order_count": count_account_orders(account=account),
    }


backoffice.extra_paths.append(
    lambda: path(
        "accounts/<int:wallet_id>/support/", backoffice.admin_view(support_view), name="support"
    )
)
