"""A program's "Try it": the form, the running simulation, its report and earlier runs.

The page needs no script: while a run goes on, it loads itself again every second.
"""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.views.decorators.http import require_POST

from polysim.kernel.clock import utc_now
from polysim.kernel.errors import NotFound
from prop.models import Program, Simulation
from prop.selectors.simulations import list_simulations
from prop.services.purchases import find_program
from prop.services.simulations import (
    DAYS,
    DEFAULTS,
    SEEDS,
    TRADERS,
    WEIGHTS,
    has_other_terms,
    start_simulation,
    stop_simulation,
)
from prop.simulator import BEHAVIOURS, DEFAULT_MIX, draw_money, draw_pass_rates, draw_samples
from tenants.office.admin.screens import answered
from tenants.office.admin_site import actor_of, backoffice, may, page_context, require_right

VIEW_RIGHT, RUN_RIGHT = "programs.view", "programs.simulate"
UNFINISHED = (Simulation.Status.QUEUED, Simulation.Status.RUNNING)
REASONS_SHOWN = 8
PRICES = (("demo", "Made-up markets"), ("recorded", "Recorded markets"))


class TryForm(forms.Form):
    """How many traders, of which kinds, for how long, at which prices."""

    traders = forms.IntegerField(min_value=TRADERS[0], max_value=TRADERS[1], label="Traders")
    days = forms.IntegerField(min_value=DAYS[0], max_value=DAYS[1], label="Days")
    paths = forms.ChoiceField(choices=PRICES, label="Prices")
    seed = forms.IntegerField(min_value=SEEDS[0], max_value=SEEDS[1], label="Seed")

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        for name, behaviour in BEHAVIOURS.items():
            self.fields[f"mix_{name}"] = forms.IntegerField(
                min_value=WEIGHTS[0],
                max_value=WEIGHTS[1],
                label=behaviour.title,
                help_text=behaviour.words,
                required=False,
            )

    @property
    def weights(self) -> list[Any]:
        """The fields of the mix."""
        return [self[f"mix_{name}"] for name in BEHAVIOURS]

    @property
    def main(self) -> list[Any]:
        """The other fields."""
        return [self[name] for name in ("traders", "days", "paths", "seed")]

    def parameters(self) -> dict[str, Any]:
        """What was asked for, as the service takes it."""
        data = self.cleaned_data
        mix = {name: data[f"mix_{name}"] or 0 for name in BEHAVIOURS}
        return {name: data[name] for name in DEFAULTS} | {"mix": mix}


def first_values(parameters: dict[str, Any]) -> dict[str, Any]:
    """The form's values for parameters of an earlier run, or of an ordinary one."""
    mix = parameters.get("mix") or DEFAULT_MIX
    weights = {f"mix_{name}": mix.get(name, 0) for name in BEHAVIOURS}
    return {**DEFAULTS, **parameters, **weights}


def try_view(request: HttpRequest, program_id: int, run_id: int = 0) -> HttpResponse:
    """The form with the newest or the named run below; a POST starts one."""
    require_right(request, VIEW_RIGHT)
    program = _program(program_id)
    runs = list_simulations(program_id=program_id)
    chosen = _chosen(runs, run_id)
    if request.method == "POST":
        require_right(request, RUN_RIGHT)
        form = TryForm(request.POST)
        if form.is_valid():
            answer = answered(form, lambda: _start(request, program_id, form))
            if isinstance(answer, HttpResponse):
                return answer
    else:
        form = TryForm(initial=first_values(chosen.parameters if chosen else {}))
    context = page_context(
        request, title=f"Try {program.name}", crumbs=_crumbs(program), section="programs"
    )
    context |= {
        "program": program,
        "form": form,
        "may_run": may(request, RUN_RIGHT),
        "runs": runs,
        "run": chosen,
        "is_going": any(run.status in UNFINISHED for run in runs),
        "behaviours": BEHAVIOURS,
        **_run_context(program, chosen),
        "before": _run_before(chosen, runs),
    }
    return render(request, "office/try.html", context)


@require_POST
def stop_view(request: HttpRequest, program_id: int, run_id: int) -> HttpResponse:
    """End a run that goes on."""
    require_right(request, RUN_RIGHT)
    if not any(run.pk == run_id for run in list_simulations(program_id=program_id)):
        raise Http404
    stop_simulation(simulation_id=run_id, actor=actor_of(request), now=utc_now())
    messages.success(request, "The run was stopped.")
    return redirect("backoffice:simulation", program_id, run_id)


def _start(request: HttpRequest, program_id: int, form: TryForm) -> HttpResponse:
    run = start_simulation(
        program_id=program_id,
        parameters=form.parameters(),
        actor=actor_of(request),
        now=utc_now(),
    )
    return redirect("backoffice:simulation", program_id, run.pk)


def _program(program_id: int) -> Program:
    try:
        return find_program(program_id)
    except NotFound as error:
        raise Http404 from error


def _chosen(runs: list[Simulation], run_id: int) -> Simulation | None:
    """The run of the address; without one the newest."""
    if not run_id:
        return runs[0] if runs else None
    for run in runs:
        if run.pk == run_id:
            return run
    raise Http404


def _run_context(program: Program, run: Simulation | None) -> dict[str, Any]:
    """The charts and tables of a finished run."""
    if run is None or run.status != Simulation.Status.DONE:
        return {"report": None}
    report = run.report
    reasons = report["failures"][:REASONS_SHOWN]
    most = max((row["count"] for row in reasons), default=1)
    return {
        "report": report,
        "rates": draw_pass_rates(report),
        "money_chart": draw_money(report),
        "samples": draw_samples(report),
        "reasons": [(row, 100 * row["count"] // most) for row in reasons],
        "failed": sum(row["count"] for row in report["failures"]),
        "is_outdated": has_other_terms(simulation=run, program=program),
    }


def _run_before(run: Simulation | None, runs: list[Simulation]) -> Simulation | None:
    """The newest older run of the same traders and prices: what earlier terms gave."""
    if run is None or run.status != Simulation.Status.DONE:
        return None
    for one in runs:
        is_alike = one.pk < run.pk and one.parameters == run.parameters
        if is_alike and one.status == Simulation.Status.DONE:
            return one
    return None


def _crumbs(program: Program) -> list[tuple[str, str]]:
    return [
        ("Programs", _link("backoffice:programs")),
        (program.name, _link("backoffice:programs_detail", program.pk)),
        ("Try it", ""),
    ]


def _link(name: str, *arguments: Any) -> str:
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


def _paths() -> list[tuple[str, Any, str]]:
    return [
        ("programs/<int:program_id>/try/", try_view, "try_program"),
        ("programs/<int:program_id>/try/<int:run_id>/", try_view, "simulation"),
        ("programs/<int:program_id>/try/<int:run_id>/stop/", stop_view, "simulation_stop"),
    ]


def _maker(address: str, view: Any, name: str) -> Callable[[], URLPattern]:
    return lambda: path(address, backoffice.admin_view(view), name=name)


backoffice.extra_paths += [_maker(*one) for one in _paths()]
