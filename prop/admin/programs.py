"""Programs: the list, the form with nested steps and its preview, and their commands."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from zoneinfo import available_timezones

from django import forms
from django.contrib import messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import PolysimError
from prop.admin.cells import money_cell
from prop.admin.program_draft import (
    Draft,
    blank_draft,
    check_draft,
    preview,
    read_draft,
    stored_draft,
    table_of,
)
from prop.models import (
    AccountGroup,
    Challenge,
    ChallengeStatus,
    OnFail,
    PayoutMode,
    Program,
    ProgramStatus,
    Purchase,
    Simulation,
    Step,
    TradingDaysMode,
)
from prop.selectors.programs import get_program
from prop.services.programs import (
    clone_program,
    create_program,
    delete_program,
    set_program_status,
    update_program,
)
from tenants.office.admin.screens import Command, Screen, is_id, register
from tenants.office.admin_site import actor_of, backoffice, firm_of, may, require_right
from tenants.office.cells import column, link, moment_text, tag

EDIT = "programs.edit"
STATUS_TONES = {0: "gain", 1: "warn", 2: ""}


class DeleteForm(forms.Form):
    """The program's name, typed, so that nobody deletes by a slip."""

    typed_name = forms.CharField(max_length=128, label="Type the program's name")

    def prepare(self, request: HttpRequest, row: Program) -> None:
        """Remember what has to be typed, and say what goes with it."""
        self.wanted = row.name
        counts = get_program(program_id=row.pk)["counts"]
        self.fields["typed_name"].help_text = (
            f"Deletes {row.name} with its steps, {counts['purchases']} purchases, "
            f"{counts['challenges']} challenges ({counts['active_challenges']} active) and their "
            "records. Accounts and ledgers stay; accounts of active phases become read-only."
        )

    def clean_typed_name(self) -> str:
        """The exact name."""
        typed: str = self.cleaned_data["typed_name"]
        if typed != self.wanted:
            raise forms.ValidationError("This is not the program's name.")
        return typed


def _set_status(status: ProgramStatus, words: str) -> Any:
    def run(request: HttpRequest, row: Program, data: Mapping[str, Any]) -> str:
        set_program_status(program_id=row.pk, status=status, actor=actor_of(request), now=utc_now())
        return words

    return run


def _why_same(status: ProgramStatus) -> Any:
    def why_not(request: HttpRequest, row: Program) -> str:
        return f"It is {status.label}." if row.status == status else ""

    return why_not


def _clone(request: HttpRequest, row: Program, data: Mapping[str, Any]) -> HttpResponse:
    copy = clone_program(program_id=row.pk, actor=actor_of(request), now=utc_now())
    messages.success(request, f"{copy.name} is there, disabled until you activate it.")
    return redirect("backoffice:programs_detail", copy.pk)


def _delete(request: HttpRequest, row: Program, data: Mapping[str, Any]) -> HttpResponse:
    gone = delete_program(program_id=row.pk, actor=actor_of(request), now=utc_now())
    counted = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in gone.items())
    messages.success(request, f"Deleted: {counted}.")
    return redirect("backoffice:programs")


@register(Program)
class ProgramScreen(Screen):
    """What the firm sells."""

    slug = "programs"
    title = "Programs"
    view_right = "programs.view"
    summary = "Challenges that traders buy. Edits reach later purchases only."
    empty_words = "No program yet. It takes an account group and a step or two."
    search_words = "Name, brand or id"
    detail_template = "office/program.html"
    ordering = ("sort_index", "id")
    list_display = (
        "name_cell",
        "price_cell",
        "state",
        "phases",
        "sold",
        "active",
        "rate",
        "changed",
    )
    list_filter = ("status",)
    create_right = EDIT
    create_words = "New program"
    csv_columns: ClassVar[Mapping[str, Any]] = {
        "id": lambda row: row.pk,
        "brand": lambda row: row.brand,
        "name": lambda row: row.name,
        "price": lambda row: row.price,
        "price_currency": lambda row: row.price_currency,
        "status": lambda row: row.get_status_display(),
        "phases": lambda row: row.step_count,
        "sold": lambda row: row.sold_count,
        "created_at": lambda row: row.created_at,
        "updated_at": lambda row: row.updated_at,
    }
    commands = (
        Command(
            "activate",
            "Activate",
            EDIT,
            "Puts it on sale; the rules of the whole are checked again.",
            _set_status(ProgramStatus.ACTIVE, "On sale."),
            tone="primary",
            why_not=_why_same(ProgramStatus.ACTIVE),
        ),
        Command(
            "disable",
            "Disable",
            EDIT,
            "No new purchases; running challenges go on.",
            _set_status(ProgramStatus.DISABLED, "Off sale. Running challenges go on."),
            why_not=_why_same(ProgramStatus.DISABLED),
        ),
        Command(
            "archive",
            "Archive",
            EDIT,
            "Hides it from traders; running challenges go on.",
            _set_status(ProgramStatus.ARCHIVED, "Archived."),
            why_not=_why_same(ProgramStatus.ARCHIVED),
        ),
        Command("clone", "Duplicate", EDIT, "A disabled copy with the same steps.", _clone),
        Command(
            "delete",
            "Delete",
            EDIT,
            "Removes the program with everything bought of it. There is no way back.",
            _delete,
            form=DeleteForm,
            tone="danger",
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        steps = Step.objects.filter(program=OuterRef("pk")).order_by().values("program")
        sold = Purchase.objects.filter(program=OuterRef("pk")).order_by().values("program")
        return (
            super()
            .get_queryset(request)
            .annotate(
                step_count=Subquery(steps.annotate(count=Count("pk")).values("count")),
                sold_count=Subquery(sold.annotate(count=Count("pk")).values("count")),
            )
        )

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        named = Q(name__icontains=term) | Q(brand__icontains=term)
        return queryset.filter(named | Q(pk=int(term)) if is_id(term) else named)

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        counted = (
            Challenge.objects.filter(program__in=[row.pk for row in rows])
            .values_list("program")
            .annotate(
                active=Count("pk", filter=Q(status=ChallengeStatus.ACTIVE)),
                passed=Count("pk", filter=Q(status=ChallengeStatus.PASSED)),
                failed=Count("pk", filter=Q(status=ChallengeStatus.FAILED)),
            )
        )
        found = {program: (active, passed, failed) for program, active, passed, failed in counted}
        for row in rows:
            row.active_count, passed, failed = found.get(row.pk, (0, 0, 0))
            ended = passed + failed
            row.pass_rate = f"{passed * 100 / ended:.1f}%" if ended else "–"

    @column("Program", order="name")
    def name_cell(self, row: Program) -> Any:
        return link(self.address_of(row), row.name, sub=f"{row.pk} · {row.brand}")

    @column("Price", order="price", is_number=True)
    def price_cell(self, row: Program) -> Any:
        return money_cell(row.price, row.price_currency)

    @column("State", order="status")
    def state(self, row: Program) -> Any:
        return tag(row.get_status_display(), STATUS_TONES[row.status])

    @column("Phases", is_number=True)
    def phases(self, row: Any) -> Any:
        return row.step_count or 0

    @column("Sold", is_number=True)
    def sold(self, row: Any) -> Any:
        return row.sold_count or 0

    @column("Active", is_number=True)
    def active(self, row: Any) -> Any:
        return row.active_count

    @column("Pass rate", is_number=True)
    def rate(self, row: Any) -> Any:
        return row.pass_rate

    @column("Changed", order="updated_at")
    def changed(self, row: Program) -> Any:
        return moment_text(row.updated_at)

    def further_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [path("programs/preview/", guard(self.preview_view), name="programs_preview")]

    def create_view(self, request: HttpRequest) -> HttpResponse:
        """The form for a new program."""
        require_right(request, EDIT)
        groups = enabled_groups()
        draft = blank_draft(firm_of(request).time_zone, groups)
        wrong: dict[str, str] = {}
        if request.method == "POST":
            draft = read_draft(request.POST)
            if "save" in request.POST:
                saved, wrong = _save(request, draft, None)
                if saved is not None:
                    messages.success(request, f"{saved.name} is saved.")
                    return redirect("backoffice:programs_detail", saved.pk)
        context = self.page(request, "New program", ("New program", ""))
        context |= draft_context(draft, None, groups, wrong)
        return render(request, self.detail_template, context | {"can_edit": True})

    def detail_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """The program with its form."""
        require_right(request, self.view_right)
        row = self.get_row(request, pk)
        groups = enabled_groups()
        stored = stored_draft(row)
        draft, wrong = stored, {}
        if request.method == "POST":
            require_right(request, EDIT)
            draft = read_draft(request.POST)
            if "save" in request.POST:
                saved, wrong = _save(request, draft, row)
                if saved is not None:
                    messages.success(request, "Saved. Purchases from now on get these terms.")
                    return redirect(self.address_of(row))
        self.prepare(request, [row])
        runs = Simulation.objects.filter(program=row).defer("report", "terms").order_by("-pk")
        context = self.page(request, row.name, (row.name, ""))
        context |= draft_context(draft, stored, groups, wrong) | {
            "row": row,
            "state": self.state(row),
            "commands": self.offered(request, row),
            "can_edit": may(request, EDIT),
            "runs": list(runs.select_related("started_by")[:5]),
        }
        return render(request, self.detail_template, context)

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        """Checks, preview and money of what stands in the form, while it is typed."""
        require_right(request, EDIT)
        groups = enabled_groups()
        draft = read_draft(request.POST)
        return render(
            request, "office/parts/program_aside.html", draft_context(draft, None, groups, {})
        )


def enabled_groups() -> dict[str, AccountGroup]:
    """The groups that steps may stand on, by name."""
    rows = AccountGroup.objects.filter(enable=True).order_by("grp_index", "group")
    return {row.group: row for row in rows}


def draft_context(
    draft: Draft, stored: Draft | None, groups: Mapping[str, AccountGroup], wrong: Mapping[str, str]
) -> dict[str, Any]:
    """What the form and its aside show."""
    checks = check_draft(draft, groups)
    table = table_of(draft, stored, groups, wrong)
    cells = [cell for part in table for row in part["rows"] for cell in row["cells"]]
    general = {name: words for name, words in wrong.items() if not name.startswith("steps[")}
    heads = [
        {"index": index, "step": step, "errors": _errors_of(wrong, index)}
        for index, step in enumerate(draft.steps)
    ]
    return {
        "draft": draft,
        "table": table,
        "heads": heads,
        "checks": checks,
        "can_save": all(check.state != "bad" for check in checks),
        "preview": preview(draft, groups),
        "groups": groups,
        "zones": sorted(zone for zone in available_timezones() if "/" in zone or zone == "UTC"),
        "wrong": general,
        "has_errors": bool(wrong),
        "changed_count": sum(1 for cell in cells if cell["old"]),
        "money_cells": [(cell["key"], cell["money"]) for cell in cells if cell["money"]],
        "choices": {
            "trading_days_mode": TradingDaysMode.choices,
            "on_fail": OnFail.choices,
            "payout_mode": PayoutMode.choices,
        },
    }


def _errors_of(wrong: Mapping[str, str], index: int) -> dict[str, str]:
    """What is wrong with a step's own fields: name, group."""
    names = ("name", "account_group", "phase_type")
    return {name: wrong.get(f"steps[{index}].{name}", "") for name in names}


def _save(
    request: HttpRequest, draft: Draft, row: Program | None
) -> tuple[Program | None, dict[str, str]]:
    """(the saved program, nothing) or (None, what is wrong by path)."""
    data, actor, now = draft.as_data(), actor_of(request), utc_now()
    try:
        if row is None:
            # Nobody buys what nobody has looked at yet.
            data["status"] = int(ProgramStatus.DISABLED)
            return create_program(data=data, actor=actor, now=now), {}
        return update_program(program_id=row.pk, data=data, actor=actor, now=now), {}
    except PolysimError as error:
        return None, dict(getattr(error, "fields", None) or {"": error.message})


def find_program(request: HttpRequest, term: str) -> str | None:
    """The page of the program with exactly this name."""
    if not may(request, "programs.view"):
        return None
    found = Program.objects.filter(name__iexact=term).order_by("pk").first()
    return reverse("backoffice:programs_detail", args=[found.pk]) if found else None


backoffice.finders.append(find_program)
