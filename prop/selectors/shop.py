"""What a trader can buy, with which account, and whether (prop-client 2, 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from prop.models import Challenge, ChallengeStatus, Program, ProgramStatus, Purchase
from prop.services.checks import (
    Payer,
    ProgramNotFound,
    check_account,
    check_program,
    check_terms,
    find_first_group,
    find_payer,
    list_payers,
)
from prop.services.purchases import price_of
from prop.services.terms import copy_terms
from tenants.models import User

ACTIVE_CHALLENGE_EXISTS = "ACTIVE_CHALLENGE_EXISTS"
BALANCE_ZERO_AFTER_PURCHASE = "BALANCE_ZERO_AFTER_PURCHASE"


@dataclass(frozen=True, slots=True)
class PayerChoice:
    """An account and why it cannot pay for the program, None when it can."""

    payer: Payer
    block_reason: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """Whether a purchase would be taken: `reason` is the first failing check, None when it would.

    `payer_balance` is None when it cannot be read or the account is not the customer's.
    """

    program: Program
    price: Decimal
    reason: str | None
    payer_balance: Decimal | None
    warnings: tuple[str, ...]


def list_shop_programs(*, brand: str | None = None) -> list[Program]:
    """Programs that can be bought, by sort_index, with their steps and groups at hand."""
    chosen = Program.objects.filter(status=ProgramStatus.ACTIVE)
    if brand is not None:
        chosen = chosen.filter(brand=brand)
    rows = chosen.prefetch_related("steps__account_group").order_by("sort_index", "pk")
    return list(rows)


def get_shop_program(*, program_id: int, customer: User) -> Program:
    """A program that can be bought, or one that the customer has bought. Raises ProgramNotFound."""
    program = get_program(program_id=program_id)
    is_sold = program.status == ProgramStatus.ACTIVE
    if is_sold or Purchase.objects.filter(program=program, customer=customer).exists():
        return program
    raise ProgramNotFound()


def get_program(*, program_id: int) -> Program:
    """A program in any state with its steps at hand. Raises ProgramNotFound."""
    program: Program | None = (
        Program.objects.filter(pk=program_id).prefetch_related("steps__account_group").first()
    )
    if program is None:
        raise ProgramNotFound()
    return program


def list_payer_choices(*, program_id: int, customer: User) -> list[PayerChoice]:
    """The customer's accounts by login with their first failing check of 5 to 10.

    Of a program that is not active every account is blocked with PROGRAM_DISABLED.
    """
    program = get_program(program_id=program_id)
    price = price_of(copy_terms(program))
    disabled = check_program(program)
    return [
        PayerChoice(
            payer, disabled or check_account(payer, price=price, currency=program.price_currency)
        )
        for payer in list_payers(customer=customer)
    ]


def preview_purchase(*, program_id: int, payer_login: int, customer: User) -> Preview:
    """The checks 3 to 13 as buy makes them, without writing. Raises ProgramNotFound."""
    program = get_program(program_id=program_id)
    terms = copy_terms(program)
    price = price_of(terms)
    payer = find_payer(customer=customer, login=payer_login)
    reasons = (
        check_program(program),
        check_account(payer, price=price, currency=program.price_currency),
        check_terms(terms, find_first_group(terms)),
    )
    balance = None if payer is None else payer.balance
    return Preview(
        program=program,
        price=price,
        reason=next((reason for reason in reasons if reason is not None), None),
        payer_balance=balance,
        warnings=tuple(_warnings(program, customer, price, balance)),
    )


def _warnings(
    program: Program, customer: User, price: Decimal, balance: Decimal | None
) -> Sequence[str]:
    found = []
    active = Challenge.objects.filter(
        program=program, customer=customer, status=ChallengeStatus.ACTIVE
    )
    if active.exists():
        found.append(ACTIVE_CHALLENGE_EXISTS)
    if balance is not None and balance == price:
        found.append(BALANCE_ZERO_AFTER_PURCHASE)
    return found
