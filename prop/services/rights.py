"""Which staff may run a command: the rights of the BackOffice, as the firm narrowed them."""

from prop.errors import NotEnoughRights
from tenants.models import Firm, StaffMembership
from tenants.office.rights import has_right


def check_right(*, membership: StaffMembership, firm: Firm, right: str) -> None:
    """Raises NotEnoughRights when the member's role lacks `right` at this firm."""
    if not has_right(role=membership.role, right=right, taken=firm.taken_rights):
        raise NotEnoughRights()
