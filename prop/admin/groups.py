"""Account groups: kinds of accounts with their mode, currency and first deposit."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from polysim.kernel.clock import utc_now
from prop.admin.cells import money_cell
from prop.models import AccountGroup, AccountMode
from prop.services.groups import add_group, delete_group, update_group
from tenants.office.admin.screens import Command, Screen, register
from tenants.office.admin_site import actor_of
from tenants.office.cells import column, link, tag

EDIT = "programs.edit"


class GroupForm(forms.Form):
    """All fields of a group; its name is given once."""

    group = forms.CharField(max_length=64, label="Name")
    brand = forms.CharField(max_length=64, initial="default")
    account_mode = forms.TypedChoiceField(
        coerce=int,
        choices=[(0, "DEMO: for evaluation"), (1, "REAL: the firm answers for its balance")],
        label="Mode",
    )
    currency = forms.CharField(max_length=5, initial="USD")
    default_deposit = forms.DecimalField(max_digits=14, decimal_places=2, min_value=0)
    maxpositions = forms.IntegerField(
        min_value=0, initial=0, label="Open positions at most", help_text="0: no limit."
    )
    grp_index = forms.IntegerField(initial=0, label="Order in lists")
    enable = forms.BooleanField(required=False, initial=True, label="Enabled")
    public_opening = forms.BooleanField(required=False, label="Traders may open one themselves")

    def prepare(self, request: HttpRequest, row: AccountGroup | None) -> None:
        """Begin with what a group has; its name does not change."""
        if row is None:
            return
        del self.fields["group"]
        for name, field in self.fields.items():
            field.initial = getattr(row, name)


def _input(data: Mapping[str, Any]) -> dict[str, Any]:
    """As the service reads JSON: flags are 0 and 1."""
    flags = {name: int(data[name]) for name in ("enable", "public_opening")}
    return {**data, **flags}


def _update(request: HttpRequest, row: AccountGroup, data: Mapping[str, Any]) -> str:
    update_group(name=row.group, data=_input(data), actor=actor_of(request), now=utc_now())
    return "Saved. Running challenges keep the deposit they were bought with."


def _delete(request: HttpRequest, row: AccountGroup, data: Mapping[str, Any]) -> HttpResponse:
    name = delete_group(name=row.group, actor=actor_of(request), now=utc_now())
    messages.success(request, f"{name} is deleted.")
    return redirect("backoffice:groups")


@register(AccountGroup)
class GroupScreen(Screen):
    """What steps stand on."""

    slug = "groups"
    title = "Account groups"
    view_right = "programs.view"
    summary = "DEMO groups are for evaluation, REAL ones for payer and funded accounts."
    empty_words = "No group yet. A program's steps need one each."
    search_words = "Name or brand"
    detail_template = "office/group.html"
    ordering = ("grp_index", "group")
    list_display = ("name", "brand_cell", "mode", "deposit", "limit", "steps_cell", "state")
    list_filter = ("account_mode", "enable")
    create_right = EDIT
    create_words = "New group"
    create_form = GroupForm
    csv_columns: ClassVar[Mapping[str, Any]] = {
        "group": lambda row: row.group,
        "brand": lambda row: row.brand,
        "account_mode": lambda row: row.get_account_mode_display(),
        "currency": lambda row: row.currency,
        "default_deposit": lambda row: row.default_deposit,
        "enable": lambda row: row.enable,
        "public_opening": lambda row: row.public_opening,
        "maxpositions": lambda row: row.maxpositions,
    }
    commands = (
        Command(
            "edit",
            "Edit",
            EDIT,
            "A used group keeps its mode and currency.",
            _update,
            form=GroupForm,
            tone="primary",
        ),
        Command("delete", "Delete", EDIT, "Only an unused group goes.", _delete, tone="danger"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(step_count=Count("steps"))

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.filter(group__icontains=term) | queryset.filter(brand__icontains=term)

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> str:
        row = add_group(data=_input(data), actor=actor_of(request), now=utc_now())
        return f"{row.group} is there."

    @column("Group", order="group")
    def name(self, row: AccountGroup) -> Any:
        return link(self.address_of(row), row.group)

    @column("Brand", order="brand")
    def brand_cell(self, row: AccountGroup) -> Any:
        return row.brand

    @column("Mode", order="account_mode")
    def mode(self, row: AccountGroup) -> Any:
        is_real = row.account_mode == AccountMode.REAL
        return tag(row.get_account_mode_display().upper(), "warn" if is_real else "")

    @column("Deposit", order="default_deposit", is_number=True)
    def deposit(self, row: AccountGroup) -> Any:
        return money_cell(row.default_deposit, row.currency)

    @column("Positions", order="maxpositions", is_number=True)
    def limit(self, row: AccountGroup) -> Any:
        return row.maxpositions or "no limit"

    @column("Steps", is_number=True)
    def steps_cell(self, row: Any) -> Any:
        return row.step_count

    @column("State", order="enable")
    def state(self, row: AccountGroup) -> Any:
        return tag("enabled", "gain") if row.enable else tag("off")

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        steps = row.steps.select_related("program").defer("program__description")
        return {"steps": list(steps.order_by("program", "phase_index")[:50])}
