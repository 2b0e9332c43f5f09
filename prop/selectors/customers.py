"""Who is a customer of the firm whose building this is."""

from polysim.kernel.tenancy import require_building
from prop.models import PropAccount
from tenants.models import Participant, StaffMembership, User


def is_customer(*, user: User) -> bool:
    """Whether the user is the firm's trader: registered with it, or with an account."""
    schema = require_building()
    return (
        Participant.objects.filter(user=user, firm__schema_name=schema).exists()
        or PropAccount.objects.filter(customer=user).exists()
    )


def is_staff(*, user: User) -> bool:
    """Whether the user works for the firm: its staff buy no challenges of it."""
    return StaffMembership.objects.filter(
        user=user, firm__schema_name=require_building(), is_active=True
    ).exists()
