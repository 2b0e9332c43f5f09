"""What a purchase offers next: every row of prop-client 4."""

import pytest

from prop.lifecycle import Lifecycle, lifecycle_of

ROWS = [
    (0, "pending", "", "WAIT_PAYMENT", False, True),
    (1, "paid", "", "WAIT_ACTIVATION", False, False),
    (2, "paid", "", "WAIT_ACTIVATION", False, False),
    (3, "paid", "", "OPEN_CHALLENGE", False, False),
    (4, "failed", "NOT_ENOUGH_FUNDS", "RETRY_PAYMENT", True, False),
    (4, "failed", "PAYMENT_FAILED", "RETRY_PAYMENT", True, False),
    (4, "paid", "ACCOUNT_CREATE_FAILED", "RETRY_ACTIVATION", True, True),
    (4, "paid", "INITIAL_BALANCE_FAILED", "RETRY_ACTIVATION", True, True),
    (4, "paid", "ACTIVATION_FAILED", "RETRY_ACTIVATION", True, True),
    (4, "failed", "CANCELLED_BY_CUSTOMER", "NONE", False, False),
    (4, "failed", "MANUAL_REVIEW_FAILED", "CONTACT_SUPPORT", False, False),
    (5, "refunded", "", "NONE", False, False),
    (5, "refunded", "ACTIVATION_FAILED", "NONE", False, False),
]
AFTER_A_STAFF_EDIT = [
    (4, "failed", "ACTIVATION_FAILED", "RETRY_PAYMENT", True, False),
    (4, "paid", "NOT_ENOUGH_FUNDS", "RETRY_ACTIVATION", True, False),
    (4, "refunded", "PAYMENT_FAILED", "RETRY_PAYMENT", True, False),
    (4, "paid", "", "CONTACT_SUPPORT", False, False),
    (3, "failed", "ACTIVATION_FAILED", "OPEN_CHALLENGE", False, False),
    (0, "paid", "ACTIVATION_FAILED", "WAIT_PAYMENT", False, True),
]


@pytest.mark.parametrize(
    ("status", "payment", "reason", "action", "can_retry", "can_cancel"), ROWS + AFTER_A_STAFF_EDIT
)
def test_the_next_action_follows_from_status_payment_and_reason(
    status: int, payment: str, reason: str, action: str, can_retry: bool, can_cancel: bool
) -> None:
    found = lifecycle_of(status=status, payment_status=payment, failure_reason=reason)
    assert found == Lifecycle(action, can_retry, can_cancel)
