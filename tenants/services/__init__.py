"""Writing identities: users, firms, keys, tokens, the directory. All rows lie in `public`.

Every change of rights writes its audit entry in the same transaction.
"""

from tenants.services.audit import write_audit
from tenants.services.directory import register_account
from tenants.services.firms import (
    FirmExists,
    HostTaken,
    create_firm,
    grant_role,
    open_retail,
    revoke_role,
)
from tenants.services.keys import (
    KeyLimitReached,
    KeyNotFound,
    create_api_key,
    revoke_api_key,
)
from tenants.services.tokens import (
    InvalidCredentials,
    SignInForbidden,
    TooManyTries,
    WsIdentity,
    issue_access_token,
    issue_ws_token,
    read_ws_token,
)
from tenants.services.users import (
    EmailTaken,
    anonymise_user,
    change_plan,
    deactivate_user,
    make_handle,
    register_user,
)

__all__ = [
    "EmailTaken",
    "FirmExists",
    "HostTaken",
    "InvalidCredentials",
    "KeyLimitReached",
    "KeyNotFound",
    "SignInForbidden",
    "TooManyTries",
    "WsIdentity",
    "anonymise_user",
    "change_plan",
    "create_api_key",
    "create_firm",
    "deactivate_user",
    "grant_role",
    "issue_access_token",
    "issue_ws_token",
    "make_handle",
    "open_retail",
    "read_ws_token",
    "register_account",
    "register_user",
    "revoke_api_key",
    "revoke_role",
    "write_audit",
]
