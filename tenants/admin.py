"""Users, firms, staff, keys, the directory and the audit in the platform's admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django_tenants.utils import get_public_schema_name, schema_context
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from polysim.kernel.ratelimits import client_address
from tenants.admin_site import (
    PlatformModelAdmin,
    ReadOnlyAdmin,
    ReadOnlyInline,
    platform_admin,
)
from tenants.models import (
    AccountDirectoryEntry,
    ApiKey,
    Domain,
    Firm,
    FirmKind,
    IdentityAuditEntry,
    StaffMembership,
    User,
)
from tenants.services import (
    anonymise_user,
    change_plan,
    create_firm,
    deactivate_user,
    grant_role,
    revoke_api_key,
    revoke_role,
    write_audit,
)
from tenants.services.users import forget_identities


def actor_of(request: HttpRequest) -> User:
    """The administrator who acts."""
    actor: Any = request.user
    return actor


class ApiKeyInline(ReadOnlyInline):
    """A user's keys, without anything secret."""

    model = ApiKey
    fields = ("key_prefix", "name", "tier", "permissions", "is_active", "last_used_at")
    readonly_fields = fields


@admin.register(User, site=platform_admin)
class UserAdmin(PlatformModelAdmin):
    """People. Never deleted: deactivated or anonymised."""

    list_display = ("email", "handle", "plan", "is_active", "is_staff", "date_joined")
    list_filter = ("plan", "is_active", "is_staff")
    search_fields = ("email", "handle", "=id")
    ordering = ("-id",)
    fields = (
        "email",
        "handle",
        "display_name",
        "plan",
        "is_api_admitted",
        "is_active",
        "is_staff",
        "is_superuser",
        "date_joined",
        "last_login",
    )
    readonly_fields = ("email", "handle", "is_active", "date_joined", "last_login")
    inlines = (ApiKeyInline,)
    actions = ("deactivate", "anonymise")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        before = {name: form.initial.get(name) for name in form.changed_data}
        after = {name: form.cleaned_data[name] for name in form.changed_data}
        now = utc_now()
        if "plan" in after:
            plan = after.pop("plan")
            before.pop("plan")
            change_plan(user=obj, plan=plan, actor=actor_of(request), now=now)
        if after:
            obj.save(update_fields=list(after))
            write_audit(
                actor=actor_of(request),
                action="user.changed",
                subject=obj,
                now=now,
                before=before,
                after=after,
                remote_address=client_address(request),
            )
            forget_identities()

    @admin.action(description="Deactivate: end sessions, keys and roles")
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            deactivate_user(user=user, actor=actor_of(request), now=utc_now())
        messages.success(request, "Deactivated.")

    @admin.action(description="Anonymise: deactivate and remove name and e-mail")
    def anonymise(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            anonymise_user(user=user, actor=actor_of(request), now=utc_now())
        messages.success(request, "Anonymised.")


class DomainInline(ReadOnlyInline):
    """Hosts that lead to the firm."""

    model = Domain
    fields = ("domain", "is_primary")
    readonly_fields = fields


class MembershipInline(ReadOnlyInline):
    """The firm's staff."""

    model = StaffMembership
    fields = ("user", "role", "is_active", "created_at")
    readonly_fields = fields


class CreateFirmForm(forms.Form):
    """What a new firm needs."""

    slug = forms.CharField(
        label="Short name",
        help_text="Lower case letters, digits and _. It names the schema and never changes.",
        widget=UnfoldAdminTextInputWidget,
    )
    name = forms.CharField(max_length=80, widget=UnfoldAdminTextInputWidget)
    host = forms.CharField(
        help_text="The host name of its pages, without port.", widget=UnfoldAdminTextInputWidget
    )
    first_staff_email = forms.EmailField(
        label="First member of staff",
        help_text="Becomes Owner and is invited by mail.",
        widget=UnfoldAdminEmailInputWidget,
    )


@admin.register(Firm, site=platform_admin)
class FirmAdmin(PlatformModelAdmin):
    """Firms. A new one gets its schema, its host and its first member of staff at once."""

    list_display = ("name", "slug", "kind", "is_active", "created_at")
    search_fields = ("name", "slug")
    ordering = ("kind", "slug")
    fields = (
        "name",
        "slug",
        "schema_name",
        "kind",
        "time_zone",
        "accent_colour",
        "is_active",
        "is_partner_enabled",
        "is_sandbox",
        "has_server_orders",
        "has_rule_engine",
        "created_at",
    )
    readonly_fields = ("slug", "schema_name", "kind", "created_at")
    inlines = (DomainInline, MembershipInline)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The form for a new firm; not in a transaction, as it builds a schema."""
        if not self.has_add_permission(request):
            return redirect("admin:tenants_firm_changelist")
        form = CreateFirmForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                firm = create_firm(**form.cleaned_data, actor=actor_of(request), now=utc_now())
            except PolysimError as error:
                _add_refusal(form, error)
            else:
                messages.success(request, f"{firm.name} is open; its Owner has been invited.")
                return redirect("admin:tenants_firm_change", firm.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": "New firm",
            "opts": self.opts,
            "form": form,
        }
        return render(request, "tenants/admin/create_firm.html", context)

    def save_model(self, request: HttpRequest, obj: Firm, form: Any, change: bool) -> None:
        if obj.kind == FirmKind.RETAIL:
            obj.is_active = True
        with schema_context(get_public_schema_name()):
            obj.save()
            write_audit(
                actor=actor_of(request),
                action="firm.changed",
                subject=obj,
                now=utc_now(),
                before={name: form.initial.get(name) for name in form.changed_data},
                after={name: form.cleaned_data[name] for name in form.changed_data},
                remote_address=client_address(request),
            )
        forget_identities()


def _add_refusal(form: forms.Form, error: PolysimError) -> None:
    fields = (error.details or {}).get("fields", [])
    for wrong in fields:
        name = wrong["field"] if wrong["field"] in form.fields else None
        form.add_error(name, wrong["message"])
    if not fields:
        form.add_error(None, error.message)


@admin.register(StaffMembership, site=platform_admin)
class StaffMembershipAdmin(PlatformModelAdmin):
    """Who may do what at which firm."""

    list_display = ("user", "firm", "role", "is_active", "created_at")
    list_select_related = ("user", "firm")
    list_filter = ("role", "is_active")
    search_fields = ("user__email", "firm__slug")
    ordering = ("-id",)
    fields = ("user", "firm", "role")
    raw_id_fields = ("user",)
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None

    def save_model(
        self, request: HttpRequest, obj: StaffMembership, form: Any, change: bool
    ) -> None:
        granted = grant_role(
            user=obj.user, firm=obj.firm, role=obj.role, actor=actor_of(request), now=utc_now()
        )
        obj.pk = granted.pk

    @admin.action(description="End the membership")
    def revoke(self, request: HttpRequest, queryset: QuerySet[StaffMembership]) -> None:
        for membership in queryset.filter(is_active=True):
            revoke_role(membership=membership, actor=actor_of(request), now=utc_now())
        messages.success(request, "Ended.")


@admin.register(ApiKey, site=platform_admin)
class ApiKeyAdmin(ReadOnlyAdmin):
    """Keys of all users: what they may do, never what they are."""

    list_display = ("key_prefix", "user", "name", "tier", "is_active", "last_used_at")
    list_select_related = ("user",)
    list_filter = ("tier", "is_active")
    search_fields = ("key_prefix", "user__email")
    ordering = ("-id",)
    exclude = ("key_hash",)
    actions = ("revoke",)

    @admin.action(description="Revoke for good")
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        for key in queryset.filter(is_active=True).select_related("user"):
            revoke_api_key(user=key.user, key_id=key.pk, actor=actor_of(request), now=utc_now())
        messages.success(request, "Revoked.")


@admin.register(AccountDirectoryEntry, site=platform_admin)
class AccountDirectoryAdmin(ReadOnlyAdmin):
    """Every wallet's ids, building and user; its money stands in its building."""

    list_display = ("wallet_id", "account_id", "kind", "firm", "user", "created_at")
    list_select_related = ("firm", "user")
    list_filter = ("kind",)
    search_fields = ("=wallet_id", "=account_id", "user__email")
    ordering = ("-wallet_id",)


@admin.register(IdentityAuditEntry, site=platform_admin)
class IdentityAuditAdmin(ReadOnlyAdmin):
    """Who changed whose rights."""

    list_display = ("created_at", "action", "object_type", "object_id", "actor")
    list_select_related = ("actor",)
    search_fields = ("action", "=object_id", "actor__email")
    ordering = ("-id",)
