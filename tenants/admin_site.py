"""The platform's admin: its site, and the base classes of everything shown there.

Models of buildings are shown for one building at a time, chosen in the session (retail at first).
Lists never count their tables.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from unfold.admin import ModelAdmin
from unfold.forms import AuthenticationForm
from unfold.paginator import InfinitePaginator
from unfold.sites import UnfoldAdminSite

from polysim.kernel.ratelimits import client_address, count_tries
from polysim.kernel.tenancy import enter_building
from tenants.admin_menu import build_menu
from tenants.models import Firm, FirmKind

BUILDING_IN_SESSION = "admin_building"
LOGIN_TRIES_PER_MINUTE = 5


class PlatformLoginForm(AuthenticationForm):
    """E-mail and password, five tries a minute per address."""

    def clean(self) -> dict[str, Any]:
        if self.request is not None:
            wait_s = count_tries(
                f"admin:{client_address(self.request)}",
                limit=LOGIN_TRIES_PER_MINUTE,
                period_s=60,
            )
            if wait_s:
                raise ValidationError(f"Too many tries. Try again in {wait_s} s.")
        cleaned: dict[str, Any] = super().clean()
        return cleaned


class PlatformAdminSite(UnfoldAdminSite):
    """For platform administrators (`is_staff`), on the platform host only."""

    site_title = "Polysim platform"
    site_header = "Polysim platform"
    index_title = "Platform"
    login_form = PlatformLoginForm
    index_template = "tenants/admin/index.html"

    def has_permission(self, request: HttpRequest) -> bool:
        firm: Firm | None = getattr(request, "tenant", None)
        is_platform_host = firm is not None and firm.kind == FirmKind.RETAIL
        return is_platform_host and super().has_permission(request)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context: dict[str, Any] = super().each_context(request)
        names = {
            "site_title": self.site_title,
            "site_header": "Polysim",
            "site_symbol": "monitoring",
        }
        return context | names | {"site_subheader": "Platform"}

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        return build_menu(request)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The sign-in page; without a page to return to it leads to the admin's own."""
        if request.method == "GET" and REDIRECT_FIELD_NAME not in request.GET:
            home = reverse("admin:index")
            return redirect(f"{request.path}?{REDIRECT_FIELD_NAME}={home}")
        page: HttpResponse = super().login(request, extra_context)
        return page

    def get_urls(self) -> list[URLPattern]:
        own = [path("building/", self.admin_view(self.choose_building), name="choose_building")]
        return [*own, *super().get_urls()]

    def choose_building(self, request: HttpRequest) -> HttpResponse:
        """Remember the chosen building and go back to the list."""
        if request.method == "POST":
            firm = get_object_or_404(Firm, schema_name=request.POST.get("building", ""))
            request.session[BUILDING_IN_SESSION] = firm.schema_name
        target = request.POST.get("next", "")
        is_ours = url_has_allowed_host_and_scheme(target, allowed_hosts={request.get_host()})
        return redirect(target if is_ours else "admin:index")


platform_admin = PlatformAdminSite(name="admin")


class PlatformModelAdmin(ModelAdmin):
    """A list without counting; rows are never deleted."""

    paginator = InfinitePaginator
    show_full_result_count = False
    list_per_page = 50

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(PlatformModelAdmin):
    """To look at: what services and append-only tables hold."""

    actions: ClassVar[Any] = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(admin.TabularInline):
    """Rows below a row, to look at."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def chosen_schema(request: HttpRequest) -> str:
    """The schema of the building that this administrator looks at."""
    chosen = request.session.get(BUILDING_IN_SESSION)
    retail = request.tenant.schema_name  # type: ignore[attr-defined]
    if chosen and Firm.objects.filter(schema_name=chosen).exists():
        return str(chosen)
    return str(retail)


def inside_chosen_building(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Run a view of an admin class, and draw its page, inside the chosen building."""

    @wraps(view)
    def inner(self: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        with enter_building(chosen_schema(request)):
            response: Any = view(self, request, *args, **kwargs)
            if hasattr(response, "render") and not response.is_rendered:
                response.render()
            page: HttpResponse = response
            return page

    return inner


class BuildingAdmin(ReadOnlyAdmin):
    """Rows of the chosen building, read-only."""

    list_before_template = "tenants/admin/building_switch.html"

    @inside_chosen_building
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        context = {
            "buildings": list(Firm.objects.order_by("kind", "slug")),
            "chosen_building": chosen_schema(request),
            **(extra_context or {}),
        }
        page: HttpResponse = super().changelist_view(request, context)
        return page

    @inside_chosen_building
    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page: HttpResponse = super().changeform_view(request, *args, **kwargs)
        return page

    @inside_chosen_building
    def history_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page: HttpResponse = super().history_view(request, *args, **kwargs)
        return page
