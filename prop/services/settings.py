"""A firm's own choices for its challenges: payer group, waiting for prices, four eyes."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from polysim.kernel.errors import ValidationFailed
from prop.models import AccountGroup, AccountMode, PropSettings
from tenants.office.services import Actor, write_firm_audit

STALE_AFTER_S = (60, 3600)


@transaction.atomic
def change_prop_settings(
    *,
    payer_group: str,
    stale_after_s: int,
    four_eyes_above: Decimal | None,
    actor: Actor,
    now: datetime,
) -> PropSettings:
    """Set them all; `payer_group` "" for none, `four_eyes_above` None for one approval always.

    Raises ValidationFailed for a group that is unknown, off or DEMO, and for bounds.
    """
    wrong = []
    group = AccountGroup.objects.filter(group=payer_group).first() if payer_group else None
    if payer_group and (
        group is None or not group.enable or group.account_mode != AccountMode.REAL
    ):
        wrong.append(("payer_group", "Payer accounts stand on an enabled REAL group."))
    if not STALE_AFTER_S[0] <= stale_after_s <= STALE_AFTER_S[1]:
        wrong.append(("stale_after_s", "Between 60 and 3,600 seconds."))
    if four_eyes_above is not None and four_eyes_above < 0:
        wrong.append(("four_eyes_above", "Not below 0."))
    if wrong:
        raise ValidationFailed(wrong)
    chosen = PropSettings.objects.select_for_update().order_by("pk").first() or PropSettings()
    before = _describe(chosen)
    chosen.payer_group = group
    chosen.stale_after_s = stale_after_s
    chosen.four_eyes_above = four_eyes_above
    chosen.save()
    write_firm_audit(
        actor=actor,
        action="prop.settings.changed",
        object_type="settings",
        object_id=chosen.pk,
        now=now,
        before=before,
        after=_describe(chosen),
    )
    return chosen


def _describe(chosen: PropSettings) -> dict[str, str | int | None]:
    limit = chosen.four_eyes_above
    return {
        "payer_group": chosen.payer_group.group if chosen.payer_group else None,
        "stale_after_s": chosen.stale_after_s,
        "four_eyes_above": None if limit is None else f"{limit:.2f}",
    }
