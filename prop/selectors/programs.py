"""Reading programs and groups for staff (prop-backoffice 4.1, 4.4)."""

from typing import Any

from polysim.kernel.errors import NotFound
from prop.models import AccountGroup, Challenge, ChallengeStatus, Program
from prop.objects import group_object, list_steps, program_object, step_object


def program_answer(program: Program) -> dict[str, Any]:
    """`{"program", "steps"}`, steps by phase_index."""
    steps = list_steps(program)
    return {
        "program": program_object(program, steps),
        "steps": [step_object(step) for step in steps],
    }


def get_program(*, program_id: int) -> dict[str, Any]:
    """`{"program", "steps", "counts"}`; raises NotFound."""
    program: Program | None = Program.objects.filter(pk=program_id).first()
    if program is None:
        raise NotFound(f"Program {program_id} does not exist")
    challenges = Challenge.objects.filter(program=program)
    counts = {
        "purchases": program.purchases.count(),
        "challenges": challenges.count(),
        "active_challenges": challenges.filter(status=ChallengeStatus.ACTIVE).count(),
    }
    return {**program_answer(program), "counts": counts}


def list_groups() -> dict[str, Any]:
    """`{"rows", "count"}` of all groups, by grp_index, then name."""
    rows = [group_object(group) for group in AccountGroup.objects.order_by("grp_index", "group")]
    return {"rows": rows, "count": len(rows)}
