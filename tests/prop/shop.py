"""A firm's shop with one customer, and purchases made step by step."""

from typing import Any

from prop.models import (
    AccountGroup,
    Purchase,
)
from prop.services import purchases as purchases_module
from prop.services.activation import advance_purchase
from prop.services.terms import copy_terms
from tests.prop.catalogue import NOW, make_program
from tests.prop.trader import PropDoor, give, make_customer, make_payer


class Shop:
    """Alpha with a program of 99 dollars and a customer with 250; purchases made step by step."""

    def __init__(self) -> None:
        self.customer = make_customer()
        self.program = make_program()
        self.login = make_payer(self.customer, "250").pk
        self.door = PropDoor(self.customer)

    def write(self) -> Purchase:
        """A purchase that was written and not paid yet."""
        return purchases_module._create(
            self.customer, self.program, self.login, "", copy_terms(self.program), NOW
        )

    def pay(self) -> Purchase:
        """A paid purchase whose account could not be opened, as the group was switched off."""
        purchase = self.write()
        AccountGroup.objects.filter(group="EVAL_USD").update(enable=False)
        advanced = advance_purchase(purchase_id=purchase.pk, now=NOW)
        AccountGroup.objects.filter(group="EVAL_USD").update(enable=True)
        assert advanced.failure_reason == "ACCOUNT_CREATE_FAILED"
        return advanced

    def shown(self, purchase: Purchase) -> dict[str, Any]:
        """The purchase as its owner reads it."""
        answer = self.door.get(f"purchases/{purchase.pk}")
        assert answer.status_code == 200, answer.content
        body: dict[str, Any] = answer.json()["purchase"]
        return body

    def drain(self) -> None:
        """Leave 50 dollars on the payer account."""
        give(self.login, "-200")


def fields_of(shown: dict[str, Any]) -> tuple[Any, ...]:
    names = ("status", "payment_status", "activation_status", "failure_reason")
    return tuple(shown[name] for name in (*names, "next_action", "can_retry", "can_cancel"))
