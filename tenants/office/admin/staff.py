"""Staff of the firm: invite, change roles, end them; what the roles may do."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse

from polysim.kernel.clock import utc_now
from tenants.models import StaffMembership, StaffRole
from tenants.office.admin.screens import Command, Screen, answered, register
from tenants.office.admin_site import actor_of, firm_of, may, require_right
from tenants.office.cells import column, link, moment_text, tag
from tenants.office.rights import NARROWABLE, RIGHTS, has_right
from tenants.office.services import staff

ROLE_WORDS = dict(StaffRole.choices)


class InviteForm(forms.Form):
    """Whom to invite, as what."""

    email = forms.EmailField(max_length=254, label="E-mail")
    role = forms.ChoiceField(choices=StaffRole.choices, initial=StaffRole.VIEWER)


class RoleForm(forms.Form):
    """The new role."""

    role = forms.ChoiceField(choices=StaffRole.choices)

    def prepare(self, request: HttpRequest, row: StaffMembership) -> None:
        """Begin with the present role."""
        self.fields["role"].initial = row.role


def _change_role(request: HttpRequest, row: StaffMembership, data: Mapping[str, Any]) -> str:
    changed = staff.change_staff_role(
        firm=firm_of(request),
        membership_id=row.pk,
        role=data["role"],
        actor=actor_of(request),
        now=utc_now(),
    )
    return f"{row.user.email} is now {ROLE_WORDS[changed.role]}."


def _end_role(request: HttpRequest, row: StaffMembership, data: Mapping[str, Any]) -> str:
    staff.end_staff_role(
        firm=firm_of(request), membership_id=row.pk, actor=actor_of(request), now=utc_now()
    )
    return f"{row.user.email} has no role here any more."


def _why_ended(request: HttpRequest, row: StaffMembership) -> str:
    return "" if row.is_active else "This role has ended. Invite the person again."


@register(StaffMembership)
class StaffScreen(Screen):
    """People with a role at this firm."""

    slug = "staff"
    title = "Staff"
    view_right = "staff.view"
    summary = "Who works here and as what. The firm always keeps one Owner."
    search_words = "E-mail"
    detail_template = "office/staff_member.html"
    list_display = ("person", "role_cell", "state", "since")
    list_filter = ("role", "is_active")
    list_select_related = ("user",)
    create_right = "staff.manage"
    create_words = "Invite a person"
    create_form = InviteForm
    csv_columns = {
        "email": lambda row: row.user.email,
        "role": lambda row: row.role,
        "is_active": lambda row: row.is_active,
        "since": lambda row: row.created_at,
    }
    commands = (
        Command(
            "role",
            "Change role",
            "staff.manage",
            "The new role holds from the person's next request.",
            _change_role,
            form=RoleForm,
            why_not=_why_ended,
        ),
        Command(
            "end",
            "End role",
            "staff.manage",
            "The person's next request here is refused. The history stays.",
            _end_role,
            tone="danger",
            why_not=_why_ended,
        ),
    )

    def further_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("staff/roles/", guard(self.roles_view), name="roles"),
            path("staff/roles/<slug:role>/", guard(self.role_view), name="role"),
        ]

    def name_of(self, row: StaffMembership) -> str:
        return row.user.email

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(firm=firm_of(request)).select_related("user")

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        return queryset.filter(user__email__icontains=term)

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> str:
        staff.invite_staff(
            firm=firm_of(request),
            email=data["email"],
            role=data["role"],
            host=request.get_host().partition(":")[0],
            actor=actor_of(request),
            now=utc_now(),
        )
        return f"{data['email']} is invited by mail as {ROLE_WORDS[data['role']]}."

    @column("Person", order="user__email")
    def person(self, row: StaffMembership) -> Any:
        return link(self.address_of(row), row.user.email)

    @column("Role", order="role")
    def role_cell(self, row: StaffMembership) -> Any:
        return row.get_role_display()

    @column("State", order="is_active")
    def state(self, row: StaffMembership) -> Any:
        return tag("active", "gain") if row.is_active else tag("ended")

    @column("Since", order="created_at")
    def since(self, row: StaffMembership) -> Any:
        return moment_text(row.created_at)

    def roles_view(self, request: HttpRequest) -> HttpResponse:
        """Roles against rights, as they are at this firm."""
        require_right(request, "staff.view")
        taken = firm_of(request).taken_rights
        table = [
            (
                right.words,
                [
                    (has_right(role=role, right=name, taken=taken), role in right.roles)
                    for role in StaffRole.values
                ],
            )
            for name, right in RIGHTS.items()
        ]
        context = self.page(request, "Roles and rights", ("Roles and rights", ""))
        roles = [
            (label, reverse("backoffice:role", args=[role]) if role != StaffRole.ADMIN else "")
            for role, label in StaffRole.choices
        ]
        context |= {"table": table, "roles": roles, "can_edit": may(request, "staff.manage")}
        return render(request, "office/roles.html", context)

    def role_view(self, request: HttpRequest, role: str) -> HttpResponse:
        """Which rights a role keeps here."""
        require_right(request, "staff.manage")
        if role == StaffRole.ADMIN or role not in StaffRole.values:
            raise Http404
        firm = firm_of(request)
        first = [name for name in NARROWABLE if role in RIGHTS[name].roles]
        kept = [right for right in first if right not in firm.taken_rights.get(role, ())]
        form = rights_form(first)(
            request.POST if request.method == "POST" else None, initial={"rights": kept}
        )
        if request.method == "POST" and form.is_valid():
            taken = [right for right in first if right not in form.cleaned_data["rights"]]
            answer = answered(form, lambda: _take(request, role, taken))
            if answer is not None:
                messages.success(request, str(answer))
                return redirect("backoffice:roles")
        words = f"What {ROLE_WORDS[role]} may do here"
        crumbs = (("Roles and rights", reverse("backoffice:roles")), (ROLE_WORDS[role], ""))
        context = self.page(request, words, *crumbs) | {"form": form}
        return render(request, "office/create.html", context)


def _take(request: HttpRequest, role: str, taken: list[str]) -> str:
    staff.take_rights(
        firm=firm_of(request), role=role, rights=taken, actor=actor_of(request), now=utc_now()
    )
    return f"The rights of {ROLE_WORDS[role]} are saved."


def rights_form(names: list[str]) -> type[forms.Form]:
    """A form with one box for each right that a role has at first."""

    class RightsForm(forms.Form):
        """The rights that stay."""

        rights = forms.MultipleChoiceField(
            choices=[(name, RIGHTS[name].words) for name in names],
            widget=forms.CheckboxSelectMultiple,
            required=False,
            label="Rights",
            help_text="A right without its mark is taken from the role at this firm.",
        )

    return RightsForm
