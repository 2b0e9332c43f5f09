"""The page before a purchase: the offer, the accounts that can pay, and what stands in the way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from prop.selectors.pages.overview import Offer, describe_offer
from prop.selectors.shop import (
    PayerChoice,
    Preview,
    get_shop_program,
    list_payer_choices,
    preview_purchase,
)
from prop.services.checks import message_of
from prop.services.terms import copy_terms
from tenants.models import User
from wallets.models import FirmAccount

WARNINGS = {
    "ACTIVE_CHALLENGE_EXISTS": "You already run a challenge of this program; this buys another.",
    "BALANCE_ZERO_AFTER_PURCHASE": "The payer account holds nothing after this purchase.",
}
# The firm's own set-up is not the trader's business.
OWN_WORDS = {"PAYER_GROUP_NOT_FOUND": "This account cannot pay for challenges."}


@dataclass(frozen=True)
class PayerRow:
    """An account in the list; `reason` says why it cannot pay, "" when it can."""

    login: int
    name: str
    balance: Decimal | None
    currency: str
    reason: str
    is_chosen: bool


@dataclass(frozen=True)
class BuyPage:
    """The offer and whether it can be bought with the chosen account."""

    offer: Offer
    timezone: str
    payers: tuple[PayerRow, ...]
    preview: Preview | None
    reason: str
    warnings: tuple[str, ...]

    @property
    def can_buy(self) -> bool:
        """Whether a purchase with the chosen account would be taken."""
        return self.preview is not None and self.preview.reason is None

    @property
    def left(self) -> Decimal | None:
        """What the payer account holds afterwards."""
        if self.preview is None or self.preview.payer_balance is None:
            return None
        return self.preview.payer_balance - self.preview.price


def read_buy_page(*, program_id: int, customer: User, login: int | None, now: datetime) -> BuyPage:
    """The page's content; without a chosen account the first one that can pay is taken.

    Raises ProgramNotFound for a program that the person can neither buy nor has bought.
    """
    program = get_shop_program(program_id=program_id, customer=customer)
    choices = list_payer_choices(program_id=program_id, customer=customer)
    chosen = login or _first_able(choices)
    preview = None
    if chosen is not None:
        preview = preview_purchase(program_id=program_id, payer_login=chosen, customer=customer)
    reason = ""
    if preview is None:
        reason = "You have no account here that can pay."
    elif preview.reason is not None:
        reason = _words_of(preview.reason)
    terms = copy_terms(program)
    return BuyPage(
        offer=describe_offer(terms),
        timezone=program.timezone,
        payers=_rows(choices, chosen),
        preview=preview,
        reason=reason,
        warnings=tuple(WARNINGS.get(code, code) for code in preview.warnings) if preview else (),
    )


def _first_able(choices: list[PayerChoice]) -> int | None:
    able = [choice.payer.login for choice in choices if choice.block_reason is None]
    if able:
        return able[0]
    return choices[0].payer.login if choices else None


def _words_of(reason: str) -> str:
    return OWN_WORDS.get(reason, f"{message_of(reason)}.")


def _rows(choices: Sequence[PayerChoice], chosen: int | None) -> tuple[PayerRow, ...]:
    accounts = FirmAccount.objects.select_related("wallet").in_bulk(
        [choice.payer.login for choice in choices]
    )
    rows = []
    for choice in choices:
        payer = choice.payer
        account = accounts.get(payer.login)
        named = (account.wallet.label or account.external_id) if account else "Account"
        reason = "" if choice.block_reason is None else _words_of(choice.block_reason)
        rows.append(
            PayerRow(
                payer.login,
                named,
                payer.balance,
                payer.currency,
                reason,
                is_chosen=payer.login == chosen,
            )
        )
    return tuple(rows)
