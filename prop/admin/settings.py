"""The page of a firm's choices for its challenges."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse

from polysim.kernel.clock import utc_now
from prop.models import AccountGroup, AccountMode, PropSettings
from prop.services.settings import change_prop_settings
from tenants.office.admin.screens import answered
from tenants.office.admin_site import (
    actor_of,
    backoffice,
    may,
    page_context,
    require_right,
)


class ChallengeSettingsForm(forms.Form):
    """What holds for all challenges of the firm."""

    payer_group = forms.ChoiceField(
        required=False,
        label="Payer accounts stand on",
        help_text="The REAL group of the accounts that challenges are paid from.",
    )
    four_eyes_above = forms.DecimalField(
        required=False,
        max_digits=14,
        decimal_places=2,
        min_value=0,
        label="Payouts above need two people",
        help_text="Empty: one approval is enough.",
    )
    stale_after_s = forms.IntegerField(
        label="Verdicts wait for prices older than, in seconds", min_value=60, max_value=3600
    )


def settings_view(request: HttpRequest) -> HttpResponse:
    """The form and its saving."""
    require_right(request, "settings.view")
    stored = PropSettings.objects.select_related("payer_group").order_by("pk").first()
    stored = stored or PropSettings()
    initial = {
        "payer_group": stored.payer_group.group if stored.payer_group else "",
        "four_eyes_above": stored.four_eyes_above,
        "stale_after_s": stored.stale_after_s,
    }
    form = ChallengeSettingsForm(
        request.POST if request.method == "POST" else None, initial=initial
    )
    groups = AccountGroup.objects.filter(enable=True, account_mode=AccountMode.REAL)
    names = groups.order_by("grp_index", "group").values_list("group", flat=True)
    form.fields["payer_group"].choices = [("", "none"), *((name, name) for name in names)]
    if request.method == "POST":
        require_right(request, "settings.manage")
        if form.is_valid() and answered(form, lambda: _save(request, form)):
            messages.success(request, "Saved.")
            return redirect("backoffice:challenge_settings")
    crumbs = [("Settings", reverse("backoffice:settings")), ("Challenges", "")]
    context = page_context(
        request, title="Settings of challenges", crumbs=crumbs, section="settings"
    )
    context |= {"form": form, "can_edit": may(request, "settings.manage")}
    return render(request, "office/create.html", context)


def _save(request: HttpRequest, form: ChallengeSettingsForm) -> str:
    data = form.cleaned_data
    change_prop_settings(
        payer_group=data["payer_group"],
        stale_after_s=data["stale_after_s"],
        four_eyes_above=data["four_eyes_above"],
        actor=actor_of(request),
        now=utc_now(),
    )
    return "saved"


backoffice.extra_paths.append(
    lambda: path(
        "settings/challenges/", backoffice.admin_view(settings_view), name="challenge_settings"
    )
)
