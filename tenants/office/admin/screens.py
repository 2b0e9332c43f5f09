"""The base of every screen of the BackOffice: list, CSV, detail, commands, new rows.

A screen is a ModelAdmin of the BackOffice site. Django's ChangeList does the filtering; pages of
50 rows know whether there is a next one without counting. Writing is done by commands, each one
call to a service; there are no forms over models.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse

from polysim.kernel.errors import PolysimError
from tenants.office.admin_site import backoffice, may, page_context, require_right
from tenants.office.cells import csv_cell

ROWS_PER_PAGE = 50
CSV_ROWS_MAX = 50_000


class UncountedPage(list[Any]):
    """One page and whether another follows."""

    def __init__(self, rows: Sequence[Any], number: int, has_next: bool) -> None:
        super().__init__(rows)
        self.object_list = self
        self.number, self.has_following = number, has_next

    def has_next(self) -> bool:
        return self.has_following

    def has_previous(self) -> bool:
        return self.number > 1

    @property
    def previous(self) -> int:
        """The number of the page before."""
        return self.number - 1

    @property
    def following(self) -> int:
        """The number of the next page."""
        return self.number + 1


class UncountedPaginator(Paginator):
    """Reads one row more than it shows instead of counting the table.

    The page is cut out of the keys alone, so that what a row joins is read for its rows only.
    """

    count = 10**9

    def page(self, number: Any) -> Any:
        page = self.validate_number(number)
        first = (page - 1) * self.per_page
        keys = self.object_list.values("pk")[first : first + self.per_page + 1]
        rows = list(self.object_list.filter(pk__in=keys))
        return UncountedPage(rows[: self.per_page], page, len(rows) > self.per_page)


class OfficeChangeList(ChangeList):
    """Knows the whole address of a row's page."""

    def url_for_result(self, result: Model) -> str:
        address: str = self.model_admin.address_of(result)
        return address


class ReasonForm(forms.Form):
    """Why; kept in the audit log."""

    reason = forms.CharField(max_length=255, strip=True, help_text="Kept in the audit log.")


@dataclass(frozen=True)
class Command:
    """Something that staff do to one row, after reading what it means.

    `run(request, row, data)` makes the one call to a service and answers what to say, or a page.
    `why_not(request, row)` says in words why it is not possible now; "" when it is.
    """

    name: str
    label: str
    right: str
    explain: str
    run: Callable[[HttpRequest, Any, Mapping[str, Any]], str | HttpResponse]
    form: type[forms.Form] = forms.Form
    tone: str = ""
    why_not: Callable[[HttpRequest, Any], str] = lambda request, row: ""


class Screen(admin.ModelAdmin):
    """One kind of thing: its list, and a page for each."""

    slug: ClassVar[str]
    title: ClassVar[str]
    view_right: ClassVar[str]
    summary: ClassVar[str] = ""
    empty_words: ClassVar[str] = "There is nothing here yet."
    search_words: ClassVar[str] = "Search by any id"
    has_detail: ClassVar[bool] = True
    detail_template: ClassVar[str] = "office/detail.html"
    commands: ClassVar[tuple[Command, ...]] = ()
    create_right: ClassVar[str] = ""
    create_words: ClassVar[str] = ""
    create_form: ClassVar[type[forms.Form] | None] = None
    csv_columns: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    paginator = UncountedPaginator
    show_full_result_count = False
    list_per_page = ROWS_PER_PAGE
    list_max_show_all = 0
    list_display_links = None
    actions: ClassVar[Any] = None
    ordering: ClassVar[Any] = ("-pk",)
    search_fields: ClassVar[Any] = ("pk",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may(request, self.view_right)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        slug, guard = self.slug, self.admin_site.admin_view
        urls = [
            path(f"{slug}/", guard(self.list_view), name=slug),
            path(f"{slug}/csv/", guard(self.csv_view), name=f"{slug}_csv"),
            path(f"{slug}/new/", guard(self.create_view), name=f"{slug}_new"),
            *self.further_urls(),
        ]
        if self.has_detail or self.commands:
            urls += [
                path(f"{slug}/<str:pk>/", guard(self.detail_view), name=f"{slug}_detail"),
                path(f"{slug}/<str:pk>/do/<slug:name>/", guard(self.do_view), name=f"{slug}_do"),
            ]
        return urls

    def further_urls(self) -> list[URLPattern]:
        """Addresses of this screen alone."""
        return []

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return OfficeChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()[:320].replace("\x00", "")
        return (self.search(queryset, term) if term else queryset), False

    def search(self, queryset: QuerySet[Any], term: str) -> QuerySet[Any]:
        """The rows that a term names; every screen knows its ids."""
        return queryset.filter(pk=int(term)) if is_id(term) else queryset.none()

    def prepare(self, request: HttpRequest, rows: Sequence[Any]) -> None:
        """Read for all rows of a page at once what their cells show."""

    def address_of(self, row: Any) -> str:
        """The page of a row."""
        return reverse(f"backoffice:{self.slug}_detail", args=[row.pk])

    def name_of(self, row: Any) -> str:
        """What a row is called in headings."""
        return str(row)

    def page(self, request: HttpRequest, title: str, *crumbs: tuple[str, str]) -> dict[str, Any]:
        """The context of every page of this screen."""
        home = (self.title, reverse(f"backoffice:{self.slug}"))
        trail = [home, *crumbs] if crumbs else [(self.title, "")]
        return page_context(request, title=title, crumbs=trail, section=self.slug) | {
            "screen": self
        }

    def list_view(self, request: HttpRequest) -> HttpResponse:
        """The list; a filter that cannot be read is dropped."""
        require_right(request, self.view_right)
        try:
            changes = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect(request.path)
        self.prepare(request, changes.result_list)
        context = self.page(request, self.title) | {
            "cl": changes,
            "is_filtered": bool(changes.query or changes.has_active_filters),
            "can_create": bool(self.create_right) and may(request, self.create_right),
            **self.list_context(request),
        }
        return render(request, self.change_list_template or "office/list.html", context)

    def list_context(self, request: HttpRequest) -> dict[str, Any]:
        """What the list shows besides its rows."""
        return {}

    def csv_view(self, request: HttpRequest) -> HttpResponse:
        """The filtered rows as CSV, at most `CSV_ROWS_MAX`; UTC times, plain decimals."""
        require_right(request, self.view_right)
        try:
            changes = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect(reverse(f"backoffice:{self.slug}_csv"))
        rows = list(changes.queryset[:CSV_ROWS_MAX])
        self.prepare(request, rows)
        read = list(self.csv_columns.values())
        values = ([value(row) for value in read] for row in rows)
        return csv_answer(self.slug, list(self.csv_columns), values)

    def get_row(self, request: HttpRequest, pk: str) -> Any:
        """The row of an address; 404 for what is not this firm's."""
        try:
            return self.get_queryset(request).get(pk=pk)
        except (ObjectDoesNotExist, ValueError, ValidationError, OverflowError) as error:
            raise Http404 from error

    def detail_view(self, request: HttpRequest, pk: str) -> HttpResponse:
        """Everything about one row, and what can be done."""
        require_right(request, self.view_right)
        row = self.get_row(request, pk)
        if not self.has_detail:
            raise Http404
        name = self.name_of(row)
        offered = self.offered(request, row)
        context = self.page(request, name, (name, "")) | {
            "row": row,
            "commands": offered,
            "has_refused": any(why for _, _, why in offered),
            **self.detail_context(request, row),
        }
        return render(request, self.detail_template, context)

    def detail_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        """What the page of a row shows."""
        return {}

    def offered(self, request: HttpRequest, row: Any) -> list[tuple[Command, str, str]]:
        """(command, address, why not) of all that the caller has a right to."""
        return [
            (
                command,
                reverse(f"backoffice:{self.slug}_do", args=[row.pk, command.name]),
                command.why_not(request, row),
            )
            for command in self.commands
            if may(request, command.right)
        ]

    def do_view(self, request: HttpRequest, pk: str, name: str) -> HttpResponse:
        """The page that asks before a command, and the command."""
        command = next((one for one in self.commands if one.name == name), None)
        if command is None:
            raise Http404
        require_right(request, self.view_right)
        require_right(request, command.right)
        row = self.get_row(request, pk)
        form = command.form(*_sent(request))
        if hasattr(form, "prepare"):
            form.prepare(request, row)
        why_not = command.why_not(request, row)
        if request.method == "POST" and not why_not and form.is_valid():
            answer = answered(form, lambda: command.run(request, row, form.cleaned_data))
            if isinstance(answer, HttpResponse):
                return answer
            if answer is not None:
                messages.success(request, answer)
                return redirect(self.after(row))
        name = self.name_of(row)
        context = self.page(request, command.label, (name, self.after(row)), (command.label, ""))
        context |= {"row": row, "row_name": name, "command": command, "form": form}
        context["why_not"] = why_not
        return render(request, "office/command.html", context | {"back": self.after(row)})

    def after(self, row: Any) -> str:
        """Where to go after a command."""
        return self.address_of(row) if self.has_detail else reverse(f"backoffice:{self.slug}")

    def create_view(self, request: HttpRequest) -> HttpResponse:
        """The form for a new row, where the screen has one."""
        if self.create_form is None:
            raise Http404
        require_right(request, self.create_right)
        form = self.create_form(*_sent(request))
        if hasattr(form, "prepare"):
            form.prepare(request, None)
        if request.method == "POST" and form.is_valid():
            answer = answered(form, lambda: self.create(request, form.cleaned_data))
            if isinstance(answer, HttpResponse):
                return answer
            if answer is not None:
                messages.success(request, answer)
                return redirect(f"backoffice:{self.slug}")
        context = self.page(request, self.create_words, (self.create_words, ""))
        return render(request, "office/create.html", context | {"form": form})

    def create(self, request: HttpRequest, data: Mapping[str, Any]) -> str | HttpResponse:
        """The one call to the service that makes a row."""
        raise Http404


def _sent(request: HttpRequest) -> tuple[Any, Any]:
    """What a form was sent; a POST without fields is sent too."""
    return (request.POST, request.FILES) if request.method == "POST" else (None, None)


def answered(form: forms.Form, call: Callable[[], str | HttpResponse]) -> str | HttpResponse | None:
    """What a call to a service answered; a refusal becomes errors of the form (None)."""
    try:
        return call()
    except PolysimError as error:
        add_refusal(form, error)
        return None


def csv_answer(name: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """A CSV file to download."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    writer = csv.writer(response)
    writer.writerow(heads)
    writer.writerows([csv_cell(value) for value in row] for row in rows)
    return response


def add_refusal(form: forms.Form, error: PolysimError) -> None:
    """A service's refusal as errors of the form, at the fields it names."""
    listed = (error.details or {}).get("fields", [])
    # The manager API's refusals map a path to its words.
    named = dict(getattr(error, "fields", None) or {})
    named |= {str(wrong["field"]): str(wrong["message"]) for wrong in listed}
    for name, words in named.items():
        is_field = name in form.fields
        form.add_error(name if is_field else None, words if is_field else f"{name}: {words}")
    if not named:
        form.add_error(None, error.message)


def is_id(term: str) -> bool:
    """Whether a term can be an integer id of PostgreSQL."""
    return term.isascii() and term.isdigit() and len(term) < 19


def show_once(
    request: HttpRequest, screen: Screen, *, title: str, secret: str, words: str
) -> HttpResponse:
    """The only page that ever shows a secret; no cache keeps it."""
    context = screen.page(request, title, (title, "")) | {"secret": secret, "words": words}
    response = render(request, "office/secret.html", context)
    response["Cache-Control"] = "no-store"
    return response


def register(model: type[Model]) -> Callable[[type[Screen]], type[Screen]]:
    """Put a screen into the BackOffice."""

    def inner(screen: type[Screen]) -> type[Screen]:
        backoffice.register(model, screen)
        return screen

    return inner
