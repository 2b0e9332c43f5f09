"""Programs with their steps as one aggregate: create, change, clone, delete.

Contract: prop-backoffice 2, 4.1, 5. What runs on a copy of the terms is never touched by a change.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from polysim.kernel.errors import NotFound
from polysim.kernel.tenancy import require_building
from prop.models import Program, ProgramStatus, Purchase, Simulation, Step
from prop.services.deletion import delete_purchases
from prop.services.program_input import (
    StepInput,
    check_aggregate,
    find_groups,
    read_program,
)
from prop.services.terms import copy_terms
from prop.step_fields import RULE_FIELDS
from tenants.models import Firm
from tenants.office.services import Actor, write_firm_audit

logger = logging.getLogger(__name__)

COPY_SUFFIX = " (copy)"
NAME_MAX = 128


class NoSuchProgram(NotFound):
    """No program of this firm has this id."""

    def __init__(self, program_id: int) -> None:
        super().__init__(f"Program {program_id} does not exist")


@transaction.atomic
def create_program(*, data: Mapping[str, Any], actor: Actor, now: datetime) -> Program:
    """A new program with its steps.

    The time zone is the firm's when none is sent. Raises InvalidParams, InvalidData (with
    `reason` for a rule of the whole), GroupNotFound.
    """
    zone = Firm.objects.values_list("time_zone", flat=True).get(schema_name=require_building())
    blank = Program(timezone=zone, created_at=now, updated_at=now)
    sent = read_program(data, program=blank, is_new=True)
    program = Program(**sent.values, created_at=now, updated_at=now)
    program.save(force_insert=True)
    _replace_steps(program, sent.steps or [], now=now)
    _audit(program, "prop.program.created", before=None, actor=actor, now=now)
    return program


@transaction.atomic
def update_program(
    *, program_id: int, data: Mapping[str, Any], actor: Actor, now: datetime
) -> Program:
    """Change what was sent; `steps` replaces all steps as one aggregate.

    A change to active checks the rules of the whole again. Raises NoSuchProgram and what
    `create_program` raises.
    """
    program = lock_program(program_id)
    before = copy_terms(program)
    was_active = program.status == ProgramStatus.ACTIVE
    sent = read_program(data, program=program, is_new=False)
    for name, value in sent.values.items():
        setattr(program, name, value)
    program.updated_at = now
    if sent.steps is not None:
        _replace_steps(program, sent.steps, now=now)
    elif program.status == ProgramStatus.ACTIVE and not was_active:
        steps = _stored_steps(program)
        check_aggregate(steps, find_groups([step.group for step in steps]))
    program.save(update_fields=[*sent.values, "updated_at"])
    _audit(program, "prop.program.updated", before=before, actor=actor, now=now)
    return program


def set_program_status(
    *, program_id: int, status: ProgramStatus, actor: Actor, now: datetime
) -> Program:
    """Activate, disable or archive. Raises NoSuchProgram, InvalidData, GroupNotFound."""
    return update_program(program_id=program_id, data={"status": int(status)}, actor=actor, now=now)


@transaction.atomic
def clone_program(*, program_id: int, actor: Actor, now: datetime) -> Program:
    """A disabled copy with the same steps, named "... (copy)". Raises NoSuchProgram."""
    origin = lock_program(program_id)
    steps = _stored_steps(origin)
    copy = Program.objects.get(pk=origin.pk)
    copy.pk = None
    copy.name = f"{origin.name[: NAME_MAX - len(COPY_SUFFIX)]}{COPY_SUFFIX}"
    copy.status = ProgramStatus.DISABLED
    copy.created_at = copy.updated_at = now
    copy.save(force_insert=True)
    _write_steps(copy, steps, now=now)
    _audit(copy, "prop.program.cloned", before=copy_terms(origin), actor=actor, now=now)
    return copy


@transaction.atomic
def delete_program(*, program_id: int, actor: Actor, now: datetime) -> dict[str, int]:
    """Remove a program and everything bought of it; answers how many rows of each kind went.

    Accounts and ledgers stay: accounts of running phases become read-only here, payouts lose
    their links, jobs are dropped, cached metrics and breaches are forgotten after the commit.
    Raises NoSuchProgram.
    """
    program = lock_program(program_id)
    before = copy_terms(program)
    purchases = Purchase.objects.filter(program=program)
    counts = delete_purchases(
        purchase_ids=list(purchases.values_list("pk", flat=True)),
        reason="The program of this challenge was withdrawn",
        now=now,
    )
    Simulation.objects.filter(program=program).update(program=None)
    phases, _ = Step.objects.filter(program=program).delete()
    program.payouts.update(program=None)
    write_firm_audit(
        actor=actor,
        action="prop.program.deleted",
        object_type="program",
        object_id=program_id,
        now=now,
        before=before,
    )
    Program.objects.filter(pk=program_id).delete()
    deleted = {"programs": 1, "phases": phases, **counts}
    logger.info("Program %s of %s was deleted: %s", program_id, require_building(), deleted)
    return deleted


def lock_program(program_id: int) -> Program:
    """The program, locked until the transaction ends. Raises NoSuchProgram."""
    program: Program | None = Program.objects.select_for_update().filter(pk=program_id).first()
    if program is None:
        raise NoSuchProgram(program_id)
    return program


def _stored_steps(program: Program) -> list[StepInput]:
    rows = program.steps.select_related("account_group").order_by("phase_index")
    return [
        StepInput(
            phase_index=row.phase_index,
            phase_type=row.phase_type,
            name=row.name,
            group=row.account_group.group,
            rules={field.name: getattr(row, field.name) for field in RULE_FIELDS},
        )
        for row in rows
    ]


def _replace_steps(program: Program, steps: Sequence[StepInput], *, now: datetime) -> None:
    check_aggregate(steps, find_groups([step.group for step in steps]))
    program.steps.all().delete()
    _write_steps(program, steps, now=now)


def _write_steps(program: Program, steps: Sequence[StepInput], *, now: datetime) -> None:
    Step.objects.bulk_create(
        [
            Step(
                program=program,
                phase_index=step.phase_index,
                phase_type=step.phase_type,
                name=step.name,
                account_group_id=step.group,
                created_at=now,
                updated_at=now,
                **step.rules,
            )
            for step in sorted(steps, key=lambda one: one.phase_index)
        ]
    )


def _audit(
    program: Program,
    action: str,
    *,
    before: Mapping[str, Any] | None,
    actor: Actor,
    now: datetime,
) -> None:
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="program",
        object_id=program.pk,
        now=now,
        before=before,
        after=copy_terms(program),
    )
