"""allauth's sign-up form, made blind to whether an address is known."""

from typing import Any

from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.account.internal import flows
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from tenants.models import User


class SignupForm(AllauthSignupForm):  # type: ignore[misc]
    """E-mail and password. A known address gets the same page after the same work.

    The owner of a known address is told by mail; the page asks for a mailed code either way.
    """

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        """(new user, None), or (None, the page that a new user would see)."""
        if self.account_already_exists:
            # Hashing is what takes the time when an account is made.
            make_password(self.cleaned_data.get("password1"))
            return self._pretend(request)
        try:
            with transaction.atomic():
                user: Any = self.save(request)
        except IntegrityError:
            # Two requests with one address at once: the second finds it taken after all.
            if not User.objects.filter(email=self.cleaned_data["email"]).exists():
                raise
            return self._pretend(request)
        return user, None

    def _pretend(self, request: HttpRequest) -> tuple[None, HttpResponse]:
        email = self.cleaned_data["email"]
        return None, flows.signup.prevent_enumeration(request, email=email)
