"""Refusals that reading and writing orders share."""

from polysim.kernel.errors import NotFound


class OrderNotFound(NotFound):
    """No such order, or a stranger's."""

    code = "ORDER_NOT_FOUND"
    message = "There is no such order."
