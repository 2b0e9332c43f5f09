"""The dashboard of a firm that sells challenges; every number leads to its list."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from polysim.kernel.clock import utc_now
from prop.admin.cells import room_cell, rule_words
from prop.admin.payouts import LATE_AFTER_H, age_words
from prop.models import Challenge
from prop.selectors.evaluator import read_evaluator_health
from prop.selectors.office import ChallengeFigures, HourLine, read_challenge_figures
from prop.selectors.rooms import list_near_breach
from tenants.office.admin_site import backoffice, may, page_context, zone_of
from trading.admin.accounts import traders_of
from trading.admin.dashboard import floor_context

NEAR_SHOWN = 7
HOUR_STEP, HOUR_WIDTH, BAR_UNIT, AXIS = 15, 11, 11, 44


@dataclass(frozen=True)
class HourBar:
    """A bar of the chart of today, with what it says."""

    x: int
    y: int
    height: int
    kind: str
    words: str


def dashboard(request: HttpRequest) -> HttpResponse:
    """The first page of the BackOffice."""
    now, zone = utc_now(), zone_of(request)
    figures = read_challenge_figures(zone=zone, now=now)
    near = list_near_breach(now=now)
    shown = near[:NEAR_SHOWN]
    waiting = list(figures.waiting)
    people = _customers([one.phase.challenge_id for one in shown])
    traders = traders_of(request, [*people.values(), *(one.customer_id for one in waiting)])
    context = page_context(request, title="Dashboard", crumbs=[("Dashboard", "")])
    context |= floor_context(request)
    context |= {
        "challenges": figures,
        "near_count": len(near),
        "near": [
            _near_row(one, traders.get(people.get(one.phase.challenge_id, 0))) for one in shown
        ],
        "rules": _bars(
            [(rule_words(rule), rule, count) for rule, count in figures.breaches_by_rule]
        ),
        "bars": _hour_bars(figures.hours),
        "programs": _program_bars(figures),
        "waiting": [
            (one, traders.get(one.customer_id), age_words(one.created_at, now), _is_late(one, now))
            for one in waiting
        ],
        "oldest": age_words(figures.payouts_oldest, now) if figures.payouts_oldest else "",
        "evaluator": _evaluator(now),
        "can_grant": may(request, "challenges.decide"),
        "can_edit_programs": may(request, "programs.edit"),
    }
    return render(request, "office/challenges_dashboard.html", context)


def _evaluator(now: Any) -> dict[str, str]:
    """How the evaluator does, in words."""
    health = read_evaluator_health(now=now)
    if health.age_s is None:
        return {
            "tone": "loss",
            "title": "Evaluator: not seen",
            "words": "No pass in the last hour.",
        }
    words = (
        f"last pass {health.age_s} s ago, {health.evaluated} phases of all firms "
        f"in {health.duration_ms} ms"
    )
    return {
        "tone": "" if health.is_well else "warn",
        "title": "Evaluator: every 5 s" if health.is_well else "Evaluator: slow",
        "words": words,
    }


def _customers(challenge_ids: list[int]) -> dict[int, int]:
    """Customer by challenge."""
    rows = Challenge.objects.filter(pk__in=challenge_ids).values_list("pk", "customer_id")
    return dict(rows) if challenge_ids else {}


def _near_row(room: Any, trader: Any) -> dict[str, Any]:
    return {
        "room": room,
        "trader": trader,
        "name": room.phase.terms.get("name", ""),
        "daily": room_cell(room.daily),
        "total": room_cell(room.total),
    }


def _is_late(payout: Any, now: Any) -> bool:
    return bool((now - payout.created_at).total_seconds() > LATE_AFTER_H * 3600)


def _bars(counted: list[tuple[str, str, int]]) -> list[tuple[str, str, int, int]]:
    """(words, key, count, percent of the largest)."""
    most = max((count for *_, count in counted), default=1)
    return [(words, key, count, count * 100 // most) for words, key, count in counted]


def _program_bars(figures: ChallengeFigures) -> list[dict[str, Any]]:
    """Widths in percent of the largest program, stacked by stage."""
    most = max((line.all for line in figures.programs), default=1)
    return [
        {
            "line": line,
            "first": f"{line.first * 100 / most:.1f}",
            "later": f"{line.later * 100 / most:.1f}",
            "later_x": f"{line.first * 100 / most:.1f}",
            "funded": f"{line.funded * 100 / most:.1f}",
            "funded_x": f"{(line.first + line.later) * 100 / most:.1f}",
        }
        for line in figures.programs
    ]


def _hour_bars(hours: Any) -> list[HourBar]:
    """Passes above the axis, breaches below it, each height by its count."""
    most = max((max(line.passes, line.breaches) for line in hours), default=0)
    unit = min(BAR_UNIT, max(1, 40 // most)) if most else BAR_UNIT
    return [bar for line in hours for bar in _bars_of(line, unit)]


def _bars_of(line: HourLine, unit: int) -> list[HourBar]:
    x = line.hour * HOUR_STEP + 2
    made = []
    if line.passes:
        height = max(2, line.passes * unit)
        words = f"{line.hour:02d}:00 {line.passes} passed"
        made.append(HourBar(x, AXIS - 1 - height, height, "pass", words))
    if line.breaches:
        height = max(2, line.breaches * unit)
        words = f"{line.hour:02d}:00 {line.breaches} breached"
        made.append(HourBar(x, AXIS + 1, height, "fail", words))
    return made


backoffice.dashboard = dashboard
