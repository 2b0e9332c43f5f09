"""What a trader can do about a purchase, from its stored fields (prop-client 4). Pure."""

from dataclasses import dataclass

PENDING, PAID, ACCOUNT_CREATED, ACTIVE, FAILED, REFUNDED = range(6)

PAYMENT_REASONS = frozenset({"NOT_ENOUGH_FUNDS", "PAYMENT_FAILED"})
ACTIVATION_REASONS = frozenset(
    {"ACCOUNT_CREATE_FAILED", "INITIAL_BALANCE_FAILED", "ACTIVATION_FAILED"}
)
CANCELLED_BY_CUSTOMER = "CANCELLED_BY_CUSTOMER"

_ACTIONS_BY_STATUS = {
    PENDING: "WAIT_PAYMENT",
    PAID: "WAIT_ACTIVATION",
    ACCOUNT_CREATED: "WAIT_ACTIVATION",
    ACTIVE: "OPEN_CHALLENGE",
    REFUNDED: "NONE",
}


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The computed fields of a purchase."""

    next_action: str
    can_retry: bool
    can_cancel: bool


def lifecycle_of(*, status: int, payment_status: str, failure_reason: str) -> Lifecycle:
    """The computed fields; they also hold after staff have edited the stored ones."""
    is_failed = status == FAILED
    is_paid = payment_status == "paid"
    is_activation = failure_reason in ACTIVATION_REASONS
    can_retry = is_failed and (is_activation or failure_reason in PAYMENT_REASONS)
    can_cancel = status == PENDING or (is_failed and is_paid and is_activation)
    if not is_failed:
        action = _ACTIONS_BY_STATUS[status]
    elif can_retry:
        action = "RETRY_ACTIVATION" if is_paid else "RETRY_PAYMENT"
    else:
        action = "NONE" if failure_reason == CANCELLED_BY_CUSTOMER else "CONTACT_SUPPORT"
    return Lifecycle(action, can_retry, can_cancel)
