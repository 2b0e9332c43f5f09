"""People, firms and the keys that lead into their buildings. Everything here is in `public`."""

from tenants.models.audit import IdentityAuditEntry
from tenants.models.directory import AccountDirectoryEntry, WalletKind
from tenants.models.firms import Domain, Firm, FirmKind, StaffMembership, StaffRole
from tenants.models.idempotency import IdempotencyRecord
from tenants.models.keys import ApiKey
from tenants.models.users import Plan, User

__all__ = [
    "AccountDirectoryEntry",
    "ApiKey",
    "Domain",
    "Firm",
    "FirmKind",
    "IdempotencyRecord",
    "IdentityAuditEntry",
    "Plan",
    "StaffMembership",
    "StaffRole",
    "User",
    "WalletKind",
]
