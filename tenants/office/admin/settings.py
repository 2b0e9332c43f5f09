"""The firm's settings: one page with one form, and its logo."""

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

from polysim.kernel.clock import utc_now
from tenants.models import Firm
from tenants.office.admin.screens import Screen, answered, register
from tenants.office.admin_site import actor_of, firm_of, may, require_right
from tenants.office.services.firm_settings import LOGO_BYTES_MAX, change_firm_settings


class SettingsForm(forms.Form):
    """What a firm decides about itself."""

    time_zone = forms.ChoiceField(
        label="Time zone", help_text="Trading days begin at its midnight; lists show its times."
    )
    contact_email = forms.EmailField(
        required=False, label="Contact", help_text="Where traders of the firm get help."
    )
    accent_colour = forms.CharField(
        required=False,
        max_length=7,
        label="Accent",
        help_text="Such as #0a6b5e; text in it must reach a contrast of 4.5 on the surface.",
    )
    logo = forms.FileField(
        required=False, label="Logo", help_text="PNG, JPEG or WebP, at most 64 KB."
    )
    is_logo_removed = forms.BooleanField(required=False, label="Remove the present logo")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        zones = sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC")
        self.fields["time_zone"].choices = [(zone, zone) for zone in zones]
        self.fields["logo"].widget.attrs["accept"] = "image/png,image/jpeg,image/webp"


@register(Firm)
class SettingsScreen(Screen):
    """The firm itself; there is no list."""

    slug = "settings"
    title = "Settings"
    view_right = "settings.view"

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [path("settings/", guard(self.settings_view), name="settings")]

    def settings_view(self, request: HttpRequest) -> HttpResponse:
        """The form and what it changes."""
        require_right(request, self.view_right)
        firm = Firm.objects.get(pk=firm_of(request).pk)
        names = ("time_zone", "contact_email", "accent_colour")
        initial = {name: getattr(firm, name) for name in names}
        form = SettingsForm(request.POST or None, request.FILES or None, initial=initial)
        if request.method == "POST":
            require_right(request, "settings.manage")
            if form.is_valid() and answered(form, lambda: _save(request, firm, form)):
                messages.success(request, "Saved.")
                return redirect("backoffice:settings")
        context = self.page(request, self.title) | {
            "form": form,
            "shown_firm": firm,
            "can_edit": may(request, "settings.manage"),
        }
        return render(request, "office/settings.html", context)


def _save(request: HttpRequest, firm: Firm, form: SettingsForm) -> str:
    data = form.cleaned_data
    upload = data["logo"]
    change_firm_settings(
        firm=firm,
        time_zone=data["time_zone"],
        contact_email=data["contact_email"],
        accent_colour=data["accent_colour"],
        # One byte more than is allowed is enough to refuse a large file without reading it.
        logo=upload.read(LOGO_BYTES_MAX + 1) if upload else None,
        is_logo_removed=data["is_logo_removed"],
        actor=actor_of(request),
        now=utc_now(),
    )
    return "saved"


@require_safe
def firm_logo(request: HttpRequest) -> HttpResponse:
    """The firm's logo, for its pages and mails; a picture is never run as a page."""
    firm = Firm.objects.only("logo", "logo_media_type").get(pk=firm_of(request).pk)
    if not firm.logo:
        raise Http404
    response = HttpResponse(bytes(firm.logo), content_type=firm.logo_media_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "public, max-age=300"
    return response
