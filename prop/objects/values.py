"""How values of the building stand in the prop doors' JSON (prop-backoffice 1, prop-client 1).

The only place of the prop app where a Decimal becomes a binary number: JSON knows no other, and it
is rounded to its places before, so that 2.173804 is printed as 2.173804 and 99 as 99.0.
"""

from datetime import datetime
from decimal import Decimal

from polysim.kernel.money import cents, six_places


def money_number(amount: Decimal | int) -> float:
    """Dollars with 2 places, half up."""
    return float(cents(Decimal(amount))) + 0.0


def percent_number(value: Decimal | int) -> float:
    """A percent, ratio or count with 6 places, half up."""
    return float(six_places(Decimal(value))) + 0.0


def time_number(moment: datetime | None) -> int:
    """Unix seconds, rounded down; 0 = not set."""
    return 0 if moment is None else int(moment.timestamp())
