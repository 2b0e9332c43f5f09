"""Refusals that several services of challenges share (prop-backoffice 1.3)."""

from collections.abc import Mapping
from typing import Any

from polysim.kernel.errors import PolysimError


class StateConflict(PolysimError):
    """Not allowed in the present state of the purchase, challenge, phase, payout or job."""

    code = "STATE_CONFLICT"
    status = 409
    message = "This is not possible in the present state."


class InvalidData(PolysimError):
    """Values of a wrong type or range; `fields` maps a path to its text, `reason` names a rule."""

    code = "INVALID_DATA"
    status = 400
    message = "Some values cannot be accepted."

    def __init__(
        self, fields: Mapping[str, str] | None = None, *, reason: str = "", message: str = ""
    ) -> None:
        self.fields = dict(fields or {})
        self.reason = reason
        extra: dict[str, Any] = {"fields": self.fields}
        if reason:
            extra["reason"] = reason
        super().__init__(message or None, extra=extra)


class InvalidParams(PolysimError):
    """The request as a whole is wrong: a required key is missing, a bad filter or order."""

    code = "INVALID_PARAMS"
    status = 400
    message = "The request is not complete."

    def __init__(self, message: str = "", *, fields: Mapping[str, str] | None = None) -> None:
        self.fields = dict(fields or {})
        super().__init__(message or None, extra={"fields": self.fields})


class GroupNotFound(PolysimError):
    """An account group is unknown, or not enabled."""

    code = "GROUP_NOT_FOUND"
    status = 400
    message = "The account group does not exist or is not enabled."


class Duplicate(PolysimError):
    """A value that exists once is taken."""

    code = "DUPLICATE"
    status = 409
    message = "This already exists."


class GroupInUse(PolysimError):
    """Steps, accounts or running challenges stand on the group."""

    code = "GROUP_IN_USE"
    status = 409
    message = "The group is used by accounts or programs."


class PurchaseLinked(PolysimError):
    """The purchase has a challenge and is neither failed nor refunded."""

    code = "PURCHASE_LINKED"
    status = 409
    message = "The purchase has a challenge; refund it, or cancel its activation first."


class NotEnoughRights(PolysimError):
    """The caller is no staff of this firm, or their role lacks the right."""

    code = "NOT_ENOUGH_RIGHTS"
    status = 403
    message = "Your role does not include this."
