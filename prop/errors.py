"""Refusals that several services of challenges share (prop-backoffice 1.3)."""

from polysim.kernel.errors import PolysimError


class StateConflict(PolysimError):
    """Not allowed in the present state of the purchase, challenge, phase, payout or job."""

    code = "STATE_CONFLICT"
    status = 409
    message = "This is not possible in the present state."
