"""Refusals that several services and selectors share."""

from polysim.kernel.errors import NotFound, PolysimError


class OrderNotFound(NotFound):
    """No such order, or a stranger's."""

    code = "ORDER_NOT_FOUND"
    message = "There is no such order."


class AccountNotFound(NotFound):
    """No such firm account, or another firm's (partner-api, No enumeration)."""

    code = "ACCOUNT_NOT_FOUND"
    message = "There is no such account."


class ManagedByProgram(PolysimError):
    """A prop program runs this account; the firm ends the challenge instead."""

    code = "MANAGED_BY_PROGRAM"
    status = 409
    message = "This account is run by a prop program and changed through it only."


class AccountExternalIdConflict(PolysimError):
    """The `external_id` names an account with another trader, stage or starting balance."""

    code = "EXTERNAL_ID_CONFLICT"
    status = 409
    message = "This external_id belongs to an account with other defining fields."


class AccountLimitReached(PolysimError):
    """The trader has as many active accounts at this firm as one may have."""

    code = "ACCOUNT_LIMIT_REACHED"
    status = 409
    message = "This trader has 50 active accounts. Close one first."
