"""`/prop/*`: programs, preview, buy, purchases, challenges, payouts of a trader (prop-client)."""

from datetime import timedelta
from typing import Any

from django.urls import re_path
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.clock import utc_now
from prop.api.door import (
    NUMBER_MAX,
    ActionView,
    CustomerView,
    InvalidData,
    read_number,
    read_object,
    read_page,
    read_positive,
    read_time,
)
from prop.cache import KEPT, Page
from prop.models import ChallengeStatus, PurchaseStatus
from prop.objects import (
    challenge_object,
    money_number,
    purchase_object,
    shop_program_object,
)
from prop.selectors.challenges import (
    Wanted,
    get_challenge_details,
    get_purchase_details,
    list_challenges,
    list_payouts,
    list_purchases,
    read_breaches,
    read_metrics,
)
from prop.selectors.shop import (
    PayerChoice,
    Preview,
    get_shop_program,
    list_payer_choices,
    list_shop_programs,
    preview_purchase,
)
from prop.services.checks import message_of
from prop.services.payers import ensure_payer_account
from prop.services.purchases import Bought, buy_challenge, retry_purchase
from prop.services.refunds import cancel_purchase

KEY_LENGTH_MAX = 128
ROWS_DEFAULT = 100
PHASE_INDEX_MAX = 100
WHOLE_SECOND = timedelta(microseconds=999_999)


class ProgramsView(CustomerView):
    """Programs that can be bought (2)."""

    def get(self, request: Request) -> Response:
        rows = list_shop_programs(brand=request.query_params.get("brand"))
        return Response({"rows": [shop_program_object(row) for row in rows]})


class ProgramView(CustomerView):
    """One program (2)."""

    def get(self, request: Request, program_id: str) -> Response:
        program = get_shop_program(program_id=_id(program_id), customer=self.customer)
        return Response({"program": shop_program_object(program)})


class PayerAccountsView(CustomerView):
    """Own accounts with eligibility; the first look opens the payer account (2)."""

    def get(self, request: Request, program_id: str) -> Response:
        ensure_payer_account(customer=self.customer, now=utc_now())
        rows = list_payer_choices(program_id=_id(program_id), customer=self.customer)
        return Response({"rows": [_payer_row(row) for row in rows]})


class PreviewView(ActionView):
    """Whether it can be bought; writes nothing (3.1)."""

    def post(self, request: Request) -> Response:
        program_id, payer_login = read_positive(read_object(request), "program_id", "payer_login")
        preview = preview_purchase(
            program_id=program_id, payer_login=payer_login, customer=self.customer
        )
        return Response(_preview(preview))


class BuyView(ActionView):
    """Buy and activate (3.2)."""

    def post(self, request: Request) -> Response:
        body = read_object(request)
        program_id, payer_login = read_positive(body, "program_id", "payer_login")
        bought = buy_challenge(
            customer=self.customer,
            program_id=program_id,
            payer_login=payer_login,
            idempotency_key=_idempotency_key(body, request),
            now=utc_now(),
        )
        return Response(_bought(bought))


class PurchasesView(CustomerView):
    """Own purchases (4)."""

    def get(self, request: Request) -> Response:
        limit, offset = read_page(request)
        status = read_number(request, "status", least=0, most=max(PurchaseStatus.values))
        rows, count = list_purchases(
            customer=self.customer, limit=limit, offset=offset, status=status
        )
        return Response({"rows": rows, "count": count})


class PurchaseView(CustomerView):
    """One own purchase with its program and challenges (4)."""

    def get(self, request: Request, purchase_id: str) -> Response:
        return Response(get_purchase_details(purchase_id=_id(purchase_id), customer=self.customer))


class RetryView(ActionView):
    """Try a failed purchase again (4)."""

    def post(self, request: Request, purchase_id: str) -> Response:
        bought = retry_purchase(purchase_id=_id(purchase_id), customer=self.customer, now=utc_now())
        return Response(_bought(bought))


class CancelView(ActionView):
    """Take a purchase back (4)."""

    def post(self, request: Request, purchase_id: str) -> Response:
        purchase = cancel_purchase(
            customer=self.customer, purchase_id=_id(purchase_id), now=utc_now()
        )
        return Response({"purchase": purchase_object(purchase)})


class ChallengesView(CustomerView):
    """Own purchases and challenges; `status` filters challenges only (5)."""

    def get(self, request: Request) -> Response:
        limit, offset = read_page(request)
        status = read_number(request, "status", least=0, most=max(ChallengeStatus.values))
        purchases, purchases_count = list_purchases(
            customer=self.customer, limit=limit, offset=offset
        )
        challenges, challenges_count = list_challenges(
            customer=self.customer, limit=limit, offset=offset, status=status
        )
        return Response(
            {
                "purchases": purchases,
                "challenges": challenges,
                "purchases_count": purchases_count,
                "challenges_count": challenges_count,
            }
        )


class ChallengeView(CustomerView):
    """Runtime details, also of ended challenges (5)."""

    def get(self, request: Request, challenge_id: str) -> Response:
        return Response(
            get_challenge_details(
                challenge_id=_id(challenge_id), customer=self.customer, now=utc_now()
            )
        )


class MetricsView(CustomerView):
    """Metric snapshots, newest first (5)."""

    def get(self, request: Request, challenge_id: str) -> Response:
        page = read_metrics(
            challenge_id=_id(challenge_id), customer=self.customer, wanted=_wanted(request)
        )
        return _page_answer(page)


class BreachesView(CustomerView):
    """Rule breaches, newest first (5)."""

    def get(self, request: Request, challenge_id: str) -> Response:
        page = read_breaches(
            challenge_id=_id(challenge_id), customer=self.customer, wanted=_wanted(request)
        )
        return _page_answer(page)


class PayoutsView(CustomerView):
    """Own payouts (5)."""

    def get(self, request: Request) -> Response:
        limit, offset = read_page(request)
        rows, count = list_payouts(customer=self.customer, limit=limit, offset=offset)
        return Response({"rows": rows, "count": count})


def _id(text: str) -> int:
    """An id of the address; beyond what a database holds it is unknown like any other."""
    return min(int(text[:20]), NUMBER_MAX)


def _idempotency_key(body: dict[str, Any], request: Request) -> str:
    """The body's key, else the header's; "" is none. Raises InvalidData."""
    sent = body.get("idempotency_key")
    key = request.headers.get("Idempotency-Key", "") if sent is None else sent
    if not isinstance(key, str) or len(key) > KEY_LENGTH_MAX:
        raise InvalidData({"idempotency_key": f"must be text of 1 to {KEY_LENGTH_MAX} characters"})
    return key


def _wanted(request: Request) -> Wanted:
    limit, offset = read_page(request, limit_max=KEPT, limit_default=ROWS_DEFAULT)
    until = read_time(request, "to")
    return Wanted(
        limit=limit,
        offset=offset,
        phase_index=read_number(request, "phase_index", least=1, most=PHASE_INDEX_MAX),
        since=read_time(request, "from"),
        # Times are shown in whole seconds; the last one counts to its end.
        until=None if until is None else until + WHOLE_SECOND,
    )


def _payer_row(choice: PayerChoice) -> dict[str, Any]:
    reason = choice.block_reason
    balance = choice.payer.balance
    return {
        "login": choice.payer.login,
        "currency": choice.payer.currency,
        "balance": None if balance is None else money_number(balance),
        "eligible": reason is None,
        "block_reason": reason,
        "block_reason_message": None if reason is None else message_of(reason),
    }


def _preview(preview: Preview) -> dict[str, Any]:
    price = money_number(preview.price)
    balance = None if preview.payer_balance is None else money_number(preview.payer_balance)
    if preview.reason is not None:
        message = message_of(preview.reason)
        return {
            "can_buy": False,
            "reason": preview.reason,
            "message": message,
            "required_amount": price,
            "available_balance": balance,
            "block_reason_message": message,
        }
    return {
        "can_buy": True,
        "price": price,
        "currency": preview.program.price_currency,
        "payer_balance": balance,
        "amount_account_currency": price,
        "conversion_rate": 1,
        "warnings": list(preview.warnings),
    }


def _bought(bought: Bought) -> dict[str, Any]:
    challenge = bought.challenge
    return {
        "accepted": True,
        "idempotent": bought.is_replay,
        "purchase": purchase_object(bought.purchase),
        "challenge": None if challenge is None else challenge_object(challenge),
    }


def _page_answer(page: Page) -> Response:
    return Response({"rows": page.rows, "count": page.count})


urlpatterns = [
    re_path(r"^programs/?$", ProgramsView.as_view()),
    re_path(r"^programs/(?P<program_id>[0-9]+)/?$", ProgramView.as_view()),
    re_path(r"^programs/(?P<program_id>[0-9]+)/payer-accounts/?$", PayerAccountsView.as_view()),
    re_path(r"^challenge/preview/?$", PreviewView.as_view()),
    re_path(r"^challenge/buy/?$", BuyView.as_view()),
    re_path(r"^challenges/?$", ChallengesView.as_view()),
    re_path(r"^challenges/(?P<challenge_id>[0-9]+)/?$", ChallengeView.as_view()),
    re_path(r"^challenges/(?P<challenge_id>[0-9]+)/metrics/?$", MetricsView.as_view()),
    re_path(r"^challenges/(?P<challenge_id>[0-9]+)/breaches/?$", BreachesView.as_view()),
    re_path(r"^purchases/?$", PurchasesView.as_view()),
    re_path(r"^purchases/(?P<purchase_id>[0-9]+)/?$", PurchaseView.as_view()),
    re_path(r"^purchases/(?P<purchase_id>[0-9]+)/retry/?$", RetryView.as_view()),
    re_path(r"^purchases/(?P<purchase_id>[0-9]+)/cancel/?$", CancelView.as_view()),
    re_path(r"^payouts/?$", PayoutsView.as_view()),
]
