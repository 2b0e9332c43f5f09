"""People, firms and the keys that lead into their buildings. Everything here is in `public`."""

from tenants.models.audit import IdentityAuditEntry
from tenants.models.blueprints import BuildingBlueprint
from tenants.models.directory import AccountDirectoryEntry, WalletKind
from tenants.models.firms import Domain, Firm, FirmKind, StaffMembership, StaffRole
from tenants.models.idempotency import IdempotencyRecord
from tenants.models.keys import ApiKey
from tenants.models.partners import (
    ACCOUNTS_READ,
    ACCOUNTS_WRITE,
    DEFAULT_PERMISSIONS,
    ORDERS_WRITE,
    TENANT_PERMISSIONS,
    USERS_WRITE,
    WEBHOOKS_WRITE,
    LoginLink,
    Participant,
    RedirectOrigin,
    TenantKey,
)
from tenants.models.users import Plan, User

__all__ = [
    "ACCOUNTS_READ",
    "ACCOUNTS_WRITE",
    "DEFAULT_PERMISSIONS",
    "ORDERS_WRITE",
    "TENANT_PERMISSIONS",
    "USERS_WRITE",
    "WEBHOOKS_WRITE",
    "AccountDirectoryEntry",
    "ApiKey",
    "BuildingBlueprint",
    "Domain",
    "Firm",
    "FirmKind",
    "IdempotencyRecord",
    "IdentityAuditEntry",
    "LoginLink",
    "Participant",
    "Plan",
    "RedirectOrigin",
    "StaffMembership",
    "StaffRole",
    "TenantKey",
    "User",
    "WalletKind",
]
