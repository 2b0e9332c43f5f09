"""Sign-up through django-allauth: a new person and MAIN $1,000.00 in one transaction."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from polysim.kernel.clock import utc_now
from tenants.models import FirmKind, User
from tenants.services import make_handle
from wallets.services import open_main_wallet


class RetailAccountAdapter(DefaultAccountAdapter):
    """Allauth's adapter (setting ACCOUNT_ADAPTER): e-mail addresses, handles, the MAIN wallet."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Fill the user from the sign-up form; saved, it has its wallet (accounts-api 6.1)."""
        super().save_user(request, user, form, commit=False)
        user.email = user.email.lower()
        if not user.handle:
            user.handle = make_handle()
        if commit:
            self._save_with_wallet(user)
        return user

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """The markets; on a firm's host, where staff sign in, the firm's own page."""
        if request.tenant.kind != FirmKind.RETAIL:  # type: ignore[attr-defined]
            return "/"
        return str(super().get_login_redirect_url(request))

    @transaction.atomic
    def _save_with_wallet(self, user: User) -> None:
        user.save()
        open_main_wallet(user=user, now=utc_now(), actor=user)
