"""Who calls an endpoint, and who may (accounts-api 2.1).

The kernel knows the shape only; `tenants.api.authentication` fills it from keys, sessions, tokens.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

READ = "read"
TRADE = "trade"
ALL_PERMISSIONS = frozenset({READ, TRADE})


class Access(StrEnum):
    """What an endpoint accepts: the Auth column of accounts-api 1 and trading-api 1."""

    PUBLIC = "public"  # nobody need be named; a bad key is still refused
    KEY = "key"  # K rows: a key, or the site's own session; access tokens are refused
    KEY_OR_USER = "key_or_user"  # K|D
    USER = "user"  # D: session or access token; keys are not looked at


class Credential(StrEnum):
    """What the caller showed."""

    NONE = "none"
    KEY = "key"
    SESSION = "session"
    TOKEN = "token"  # noqa: S105 (a name, not a secret)


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller: `user` is a tenants.User (None for anonymous calls), `tier` names its limits."""

    credential: Credential = Credential.NONE
    user: Any = None
    key_id: int | None = None
    tier: str = "anonymous"
    permissions: frozenset[str] = field(default_factory=frozenset)

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody is named."""
        return self.user is None

    @property
    def is_key(self) -> bool:
        """Whether an API key called: it acts on API and SANDBOX wallets only."""
        return self.credential is Credential.KEY

    @property
    def meter_name(self) -> str:
        """Whose calls are counted together; empty for anonymous ones (the address counts)."""
        if self.key_id is not None:
            return f"key:{self.key_id}"
        return "" if self.user is None else f"user:{self.user.pk}"


ANONYMOUS = Identity()
