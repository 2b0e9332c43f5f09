"""Account groups: what accounts of a program, and traders' payer accounts, are opened in.

Contract: prop-backoffice 2 (GroupRecord) and 4.4. Groups are named by `group`.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from polysim.kernel.errors import NotFound
from prop.errors import Duplicate, GroupInUse
from prop.models import AccountGroup, AccountMode, Challenge, ChallengeStatus, PropSettings
from prop.services.reading import CURRENCY, INTEGER_MAX, Fields
from tenants.office.services import Actor, write_firm_audit

# It stands in addresses: no slash, nothing invisible.
GROUP_NAME = re.compile(r"[^/\x00-\x1f\x7f]+")
FIXED_IN_USE = ("account_mode", "currency")


class NoSuchGroup(NotFound):
    """No group has this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Group {name[:64]} does not exist")


@transaction.atomic
def add_group(*, data: Mapping[str, Any], actor: Actor, now: datetime) -> AccountGroup:
    """A new group. Raises InvalidParams, InvalidData, Duplicate."""
    fields = Fields(data)
    fields.require("group", "currency", "enable", "default_deposit")
    name = fields.take_text(
        "group", least=1, most=64, pattern=GROUP_NAME, rule="must not contain / or control signs"
    )
    values = _read(fields, AccountGroup())
    fields.check()
    group, is_new = AccountGroup.objects.get_or_create(group=name, defaults=values)
    if not is_new:
        raise Duplicate(f"Group {name} exists already")
    _audit(group, "prop.group.created", before=None, actor=actor, now=now)
    return group


@transaction.atomic
def update_group(
    *, name: str, data: Mapping[str, Any], actor: Actor, now: datetime
) -> AccountGroup:
    """Change what is sent of a group; its name stays.

    Raises NoSuchGroup, InvalidData, and GroupInUse for mode or currency of a used group.
    """
    group = _lock(name)
    before = describe(group)
    fields = Fields(data)
    values = _read(fields, group)
    fields.check()
    changed = [one for one in FIXED_IN_USE if values[one] != getattr(group, one)]
    if changed and is_in_use(group):
        raise GroupInUse(f"Group {name} is used; its {' and '.join(changed)} cannot change")
    for field, value in values.items():
        setattr(group, field, value)
    group.save(update_fields=list(values))
    _audit(group, "prop.group.updated", before=before, actor=actor, now=now)
    return group


@transaction.atomic
def delete_group(*, name: str, actor: Actor, now: datetime) -> str:
    """Remove an unused group; answers its name. Raises NoSuchGroup, GroupInUse."""
    group = _lock(name)
    if is_in_use(group):
        raise GroupInUse()
    _audit(group, "prop.group.deleted", before=describe(group), actor=actor, now=now)
    group.delete()
    return name


def is_in_use(group: AccountGroup) -> bool:
    """Whether a step, an account, the payer setting or a running challenge names the group."""
    return (
        group.steps.exists()
        or group.accounts.exists()
        or PropSettings.objects.filter(payer_group=group).exists()
        or Challenge.objects.filter(
            status__in=[ChallengeStatus.PENDING, ChallengeStatus.ACTIVE],
            terms__steps__contains=[{"account_group": group.group}],
        ).exists()
    )


def describe(group: AccountGroup) -> dict[str, Any]:
    """The group for the audit log; money as text."""
    return {
        "group": group.group,
        "brand": group.brand,
        "account_mode": group.account_mode,
        "public_opening": group.public_opening,
        "currency": group.currency,
        "enable": group.enable,
        "default_deposit": f"{group.default_deposit:.2f}",
        "maxpositions": group.maxpositions,
        "grp_index": group.grp_index,
    }


def _read(fields: Fields, group: AccountGroup) -> dict[str, Any]:
    """The members that were sent, and the group's own for the others."""
    return {
        "brand": fields.take_text("brand", least=1, most=64, default=group.brand),
        "account_mode": fields.take_whole(
            "account_mode", most=AccountMode.REAL, default=group.account_mode
        ),
        "public_opening": fields.take_flag("public_opening", default=group.public_opening),
        "currency": fields.take_text(
            "currency",
            most=5,
            pattern=CURRENCY,
            rule="must be 3 to 5 capital letters",
            default=group.currency,
        ),
        "enable": fields.take_flag("enable", default=group.enable),
        "default_deposit": fields.take_money("default_deposit", default=group.default_deposit),
        "maxpositions": fields.take_whole("maxpositions", default=group.maxpositions),
        "grp_index": fields.take_whole("grp_index", least=-INTEGER_MAX, default=group.grp_index),
    }


def _lock(name: str) -> AccountGroup:
    group = AccountGroup.objects.select_for_update().filter(group=name).first()
    if group is None:
        raise NoSuchGroup(name)
    return group


def _audit(
    group: AccountGroup,
    action: str,
    *,
    before: Mapping[str, Any] | None,
    actor: Actor,
    now: datetime,
) -> None:
    write_firm_audit(
        actor=actor,
        action=action,
        object_type="group",
        object_id=group.group,
        now=now,
        before=before,
        after=None if action == "prop.group.deleted" else describe(group),
    )
