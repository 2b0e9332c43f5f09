"""Which firms' challenges a person may see: those they are a trader of (prop-client 1)."""

from tenants.models import Firm, FirmKind, User

FirmList = list[Firm]


def list_own_firms(*, user: User) -> FirmList:
    """The active prop firms that registered the person or gave them an account, by name."""
    own = Firm.objects.filter(is_active=True, kind=FirmKind.PROP_FIRM)
    registered = own.filter(participants__user=user)
    with_account = own.filter(directory_entries__user=user)
    return sorted({*registered, *with_account}, key=lambda firm: (firm.name, firm.pk))
