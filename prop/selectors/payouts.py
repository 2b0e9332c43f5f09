"""Reading payouts for staff (prop-backoffice 4.5)."""

from typing import Any

from polysim.kernel.errors import NotFound
from prop.models import Payout
from prop.objects import payout_object


def get_payout(*, payout_id: int) -> dict[str, Any]:
    """One payout; raises NotFound."""
    payout: Payout | None = Payout.objects.filter(pk=payout_id).first()
    if payout is None:
        raise NotFound(f"Payout {payout_id} does not exist")
    return payout_object(payout)
