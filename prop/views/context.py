"""What pages of the terminal show of a challenge's rules: the account bar and the order ticket."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from polysim.kernel.clock import utc_now
from prop.meters import Meter
from prop.selectors.pages.bar import read_bar
from prop.views.common import TENANT
from trading.selectors.pages.accounts import Account
from trading.views.context import get_shell
from trading.views.rooms import Room

ZERO = Decimal(0)


@dataclass(frozen=True)
class AccountRules:
    """The two tightest rules of the active account and where to read of them; empty without."""

    meters: tuple[Meter, ...] = ()
    url: str = ""


def account_rules(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `account_rules` in every template, read when first used."""
    return {"account_rules": SimpleLazyObject(lambda: _read(request))}


def _read(request: HttpRequest) -> AccountRules:
    account = get_shell(request).account
    if account is None or not account.firm_name:
        return AccountRules()
    with account.building():
        bar = read_bar(login=account.id, now=utc_now())
    if bar is None:
        return AccountRules()
    slug = account.firm_slug
    return AccountRules(bar.meters, f"/challenges/{bar.challenge_id}/?{TENANT}={slug}")


def read_account_room(account: Account, now: datetime) -> Room | None:
    """The room of a challenge's account for the order ticket; None for other accounts."""
    with account.building():
        bar = read_bar(login=account.id, now=now)
    if bar is None:
        return None
    return Room(
        daily_left=bar.daily_left,
        total_left=bar.total_left,
        positions_left=bar.positions_left,
        held_outcome_ids=bar.held_outcome_ids,
    )
