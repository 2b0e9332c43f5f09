"""`/v1/partner`: login links, a sandbox's mails, the door's description (partner-api 3, B5)."""

from typing import Any

from django.urls import path, re_path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from polysim.kernel.api.fields import WholeNumber
from polysim.kernel.api.paging import CursorField
from polysim.kernel.api.partner_cursors import decode_list_cursor, encode_list_cursor
from polysim.kernel.api.partner_fields import PartnerMoment, PlainText, parse_user_id
from polysim.kernel.api.partner_parsers import read_partner_body
from polysim.kernel.api.views import QuerySerializer, read_query
from polysim.kernel.clock import iso_micro_text, utc_now
from polysim.kernel.errors import NotFound
from tenants.api.partner_door import PartnerView
from tenants.api.partner_schema import partner_schema
from tenants.models import USERS_WRITE
from tenants.office.models import SandboxMail
from tenants.office.selectors import list_sandbox_mails
from tenants.services.login_links import request_login_link


class LoginLinkBody(serializers.Serializer[Any]):
    """Where the trader lands after signing in; by default on the markets page."""

    redirect_url = PlainText(required=False, allow_blank=False)


class AcceptedAnswer(serializers.Serializer[Any]):
    """The link is on its way by mail; it never appears in an answer."""

    status = serializers.ChoiceField(choices=["accepted"])


class LoginLinkView(PartnerView):
    """Mail a trader a one-time login link, valid for 15 minutes."""

    permissions = {"POST": USERS_WRITE}

    @extend_schema(
        operation_id="send_login_link", request=LoginLinkBody, responses={202: AcceptedAnswer}
    )
    def post(self, request: Request, user_id: str) -> Response:
        sent = read_partner_body(request, LoginLinkBody)
        request_login_link(
            firm=self.firm,
            user_id=parse_user_id(user_id),
            redirect_url=sent.get("redirect_url", ""),
            actor=self.actor,
            now=utc_now(),
        )
        return Response({"status": "accepted"}, status=202)


class MailAnswer(serializers.Serializer[Any]):
    """A login mail, its link included."""

    recipient = serializers.CharField()
    subject = serializers.CharField()
    link = serializers.CharField()
    body = serializers.CharField()
    created_at = PartnerMoment()


class MailPage(serializers.Serializer[Any]):
    """A page of mails, oldest first."""

    data = MailAnswer(many=True)
    next_cursor = serializers.CharField(help_text="Continue here, now or later.")
    has_more = serializers.BooleanField()


class MailsQuery(QuerySerializer):
    """`recipient` is exact."""

    recipient = serializers.CharField(required=False, max_length=320)
    limit = WholeNumber(min_value=1, max_value=200, default=50)
    cursor = CursorField()


class SandboxMailsView(PartnerView):
    """The login mails of a sandbox tenant; 404 for any other."""

    permissions = {"GET": USERS_WRITE}

    @extend_schema(operation_id="list_sandbox_mails", parameters=[MailsQuery], responses=MailPage)
    def get(self, request: Request) -> Response:
        if not self.firm.is_sandbox:
            raise NotFound()
        wanted = read_query(request, MailsQuery)
        limit, recipient = wanted["limit"], wanted.get("recipient", "").lower()
        scope = {"list": "sandbox mails", "firm": self.firm.pk, "recipient": recipient}
        after_id = decode_list_cursor(wanted.get("cursor"), scope=scope)
        rows = list_sandbox_mails(after_id=after_id, limit=limit + 1, recipient=recipient)
        shown = rows[:limit]
        return Response(
            {
                "data": [mail_row(row) for row in shown],
                "next_cursor": encode_list_cursor(shown[-1].pk if shown else after_id, scope=scope),
                "has_more": len(rows) > limit,
            }
        )


def mail_row(mail: SandboxMail) -> dict[str, Any]:
    """The object of B5."""
    return {
        "recipient": mail.recipient,
        "subject": mail.subject,
        "link": mail.link,
        "body": mail.body,
        "created_at": iso_micro_text(mail.created_at),
    }


urlpatterns = [
    path("users/<str:user_id>/login-link", LoginLinkView.as_view()),
    path("sandbox/mails", SandboxMailsView.as_view()),
    re_path(r"^schema/?$", partner_schema, name="partner_schema"),
]
