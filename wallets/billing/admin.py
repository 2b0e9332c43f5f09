"""The table of plans in the platform's admin."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from polysim.kernel.clock import utc_now
from tenants.admin import actor_of
from tenants.admin_site import PlatformModelAdmin, platform_admin
from tenants.services import write_audit
from wallets.billing.models import PlanTerms
from wallets.billing.selectors import clear_plan_terms


@admin.register(PlanTerms, site=platform_admin)
class PlanTermsAdmin(PlatformModelAdmin):
    """What each plan allows; changes hold everywhere within 5 seconds."""

    list_display = (
        "plan",
        "requests_per_second",
        "requests_per_minute",
        "api_baseline",
        "max_keys",
        "price_month_usd",
    )
    ordering = ("position",)
    readonly_fields = ("plan", "position")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: PlanTerms, form: Any, change: bool) -> None:
        obj.save()
        write_audit(
            actor=actor_of(request),
            action="plan.changed",
            subject=obj,
            now=utc_now(),
            before={name: str(form.initial.get(name)) for name in form.changed_data},
            after={name: str(form.cleaned_data[name]) for name in form.changed_data},
        )
        clear_plan_terms()
