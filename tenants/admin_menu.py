"""The menu of the platform's admin, in the order of the people who use it."""

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

GROUPS: list[tuple[str, list[tuple[str, str, str]]]] = [
    (
        "People",
        [
            ("Users", "tenants_user", "person"),
            ("API keys", "tenants_apikey", "key"),
            ("Accounts", "tenants_accountdirectoryentry", "badge"),
            ("Audit", "tenants_identityauditentry", "history"),
        ],
    ),
    (
        "Firms",
        [
            ("Firms", "tenants_firm", "domain"),
            ("Staff", "tenants_staffmembership", "groups"),
            ("Plans", "billing_planterms", "sell"),
        ],
    ),
    (
        "Markets",
        [
            ("Events", "markets_event", "event"),
            ("Markets", "markets_market", "monitoring"),
            ("Results", "markets_marketresolution", "gavel"),
        ],
    ),
    (
        "Money, one building at a time",
        [
            ("Wallets", "wallets_wallet", "account_balance_wallet"),
            ("Ledger", "wallets_ledgertransaction", "receipt_long"),
            ("Holds", "wallets_hold", "lock"),
        ],
    ),
    (
        "Trading, one building at a time",
        [
            ("Orders", "trading_order", "list_alt"),
            ("Fills", "trading_fill", "done_all"),
            ("Positions", "trading_position", "stacked_line_chart"),
            ("Settlements", "trading_settlement", "paid"),
        ],
    ),
]


def build_menu(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of links as unfold draws them; the list that is open is marked."""
    return [
        {
            "title": title,
            "separator": index > 0,
            "items": [_item(request, *entry) for entry in entries],
        }
        for index, (title, entries) in enumerate(GROUPS)
    ]


def _item(request: HttpRequest, title: str, name: str, icon: str) -> dict[str, Any]:
    try:
        link = reverse(f"admin:{name}_changelist")
    except NoReverseMatch:
        return {"title": title, "link": "", "has_permission": False}
    is_open = request.path.startswith(link)
    return {"title": title, "link": link, "icon": icon, "active": is_open, "has_permission": True}
