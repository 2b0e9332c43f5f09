"""Words of challenges in templates."""

from decimal import Decimal

from django import template

from prop.rules import RULES_BY_NAME

register = template.Library()

PURCHASE_STATES = {
    "pending": "waiting for payment",
    "paid": "paid, being set up",
    "account_created": "paid, being set up",
    "active": "running",
    "failed": "failed",
    "refunded": "given back",
}
FAILURES = {
    "NOT_ENOUGH_FUNDS": "the payer account did not hold enough",
    "PAYMENT_FAILED": "the fee could not be taken",
    "ACCOUNT_CREATE_FAILED": "the account could not be opened; the fee is safe",
    "INITIAL_BALANCE_FAILED": "the account could not be funded; the fee is safe",
    "ACTIVATION_FAILED": "the challenge could not be started; the fee is safe",
    "CANCELLED_BY_CUSTOMER": "you cancelled it",
}


@register.filter
def rule_title(name: str) -> str:
    """max_daily_loss_pct -> Daily loss."""
    rule = RULES_BY_NAME.get(name)
    return rule.title if rule is not None else name.replace("_", " ")


@register.filter
def purchase_state(name: str) -> str:
    """A purchase's status in words."""
    return PURCHASE_STATES.get(name, name)


@register.filter
def failure_words(reason: str) -> str:
    """NOT_ENOUGH_FUNDS in words; a reason that staff wrote as it is."""
    return FAILURES.get(reason, reason.replace("_", " ").lower())


@register.filter
def ratio_words(ratio: Decimal) -> str:
    """0.8 -> "80 %", without a sign; a tenth of a percent at most."""
    return f"{(ratio * 100).quantize(Decimal('0.1')).normalize():f} %"


@register.filter
def cut_words(text: str) -> list[str]:
    """Words of a text, for loops."""
    return text.split()
