"""The firm's traders, as the firm knows them: never whether Polysim knew them before."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from polysim.kernel.clock import utc_now
from tenants.models import AccountDirectoryEntry, Participant, WalletKind
from tenants.office.admin.screens import Command, Screen, register
from tenants.office.admin_site import actor_of, backoffice, firm_of, may
from tenants.office.cells import column, link, moment_text
from tenants.services.login_links import request_login_link


def _resend(request: HttpRequest, row: Participant, data: Mapping[str, Any]) -> str:
    request_login_link(
        firm=firm_of(request),
        user_id=row.user_id,
        redirect_url="",
        actor=actor_of(request),
        now=utc_now(),
    )
    return "A new login link is on its way by mail; older ones are void."


@register(Participant)
class TraderScreen(Screen):
    """People whom the firm registered. Other wallets, other firms, sign-ins: nobody sees them."""

    slug = "traders"
    title = "Traders"
    view_right = "traders.view"
    summary = "As the firm registered them."
    empty_words = "No trader yet. The firm's server registers them over the partner API."
    search_words = "External id, e-mail or user id"
    detail_template = "office/trader.html"
    list_display = ("name_cell", "email_cell", "account_count", "registered")
    commands = (
        Command(
            "resend",
            "Send a login link",
            "traders.resend",
            "Mails a link that works once, for 15 minutes; earlier ones become void.",
            _resend,
            tone="primary",
        ),
    )
    csv_columns = {
        "external_id": lambda row: row.external_id,
        "user_id": lambda row: row.tenant_user_id,
        "email": lambda row: row.email,
        "registered_at": lambda row: row.created_at,
        "accounts": lambda row: row.account_count,
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(firm=firm_of(request))

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = Q(external_id__icontains=term) | Q(email__icontains=term.lower())
        if is_uuid(term):
            named |= Q(tenant_user_id=term)
        return queryset.filter(named)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        accounts = AccountDirectoryEntry.objects.filter(
            firm=firm_of(request),
            kind=WalletKind.PROP_FIRM,
            user_id__in=[row.user_id for row in rows],
        )
        counts = Counter(accounts.values_list("user_id", flat=True))
        for row in rows:
            row.account_count = counts[row.user_id]

    @column("Trader", order="external_id")
    def name_cell(self, row: Participant) -> Any:
        return link(self.address_of(row), row.external_id)

    @column("E-mail as registered", order="email")
    def email_cell(self, row: Participant) -> Any:
        return row.email

    @column("Accounts", is_number=True)
    def account_count(self, row: Any) -> Any:
        return row.account_count

    @column("Registered here", order="created_at")
    def registered(self, row: Participant) -> Any:
        return moment_text(row.created_at)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        entries = AccountDirectoryEntry.objects.filter(
            firm=firm_of(request), kind=WalletKind.PROP_FIRM, user_id=row.user_id
        )
        return {
            "entries": list(entries.order_by("-wallet_id")[:200]),
            "metadata": json.dumps(row.metadata, indent=2, sort_keys=True),
            "can_support": may(request, "traders.support"),
        }


def is_uuid(term: str) -> bool:
    """Whether a term reads as a UUID."""
    try:
        UUID(term)
    except ValueError:
        return False
    return True


def find_trader(request: HttpRequest, term: str) -> str | None:
    """The page of the one trader whom a term names."""
    if not may(request, "traders.view"):
        return None
    named = Q(external_id=term) | Q(email=term.lower())
    if is_uuid(term):
        named |= Q(tenant_user_id=term)
    found = Participant.objects.filter(named, firm=firm_of(request)).order_by("pk").first()
    return reverse("backoffice:traders_detail", args=[found.pk]) if found else None


backoffice.finders.append(find_trader)
