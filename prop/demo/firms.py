"""A demo firm's keys, staff, trader and programs; each step looks first, so a repeat adds nothing.

Secrets are random per installation and stand in demo.json alone.
"""

import secrets
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from allauth.account.models import EmailAddress

from polysim.kernel.tenancy import enter_building
from prop.demo.programs import GROUPS, PAYER_GROUP, PROGRAMS
from prop.models import AccountGroup, Program, PropSettings
from prop.services.groups import add_group
from prop.services.programs import create_program
from tenants.lookups import hash_key
from tenants.models import ACCOUNTS_READ, DEFAULT_PERMISSIONS, Firm, StaffRole, TenantKey, User
from tenants.office.services import Actor, system_actor
from tenants.selectors import find_user_by_email
from tenants.services import grant_role, register_user
from tenants.services.participants import register_trader
from tenants.services.tenant_keys import create_tenant_key, revoke_tenant_key
from wallets.models import FirmAccount
from wallets.services import open_firm_account

ACTOR: Actor = system_actor("demo")
TRADER_EXTERNAL_ID = "demo-trader"
ACCOUNT_EXTERNAL_ID = "demo-account"
ACCOUNT_BALANCE = Decimal("25000.00")
KEY_NAMES = {"partner_key": "Demo server", "readonly_key": "Demo read-only"}
# Every right: the demo's key tries everything that partner-api offers.
PARTNER_PERMISSIONS = (*DEFAULT_PERMISSIONS, "orders:write", "webhooks:write")


def seed_firm(firm: Firm, former: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The firm's part of demo.json; what `former` says already stays valid."""
    with enter_building(firm.schema_name):
        keys = {
            "partner_key": _ensure_key(firm, "partner_key", PARTNER_PERMISSIONS, former, now=now),
            "readonly_key": _ensure_key(firm, "readonly_key", (ACCOUNTS_READ,), former, now=now),
        }
        trader = _ensure_trader(firm, former.get("trader"), now=now)
        _ensure_programs(now=now)
    return {**keys, "staff_roles": _ensure_staff(firm, former, now=now), "trader": trader}


def _ensure_key(
    firm: Firm,
    field: str,
    permissions: tuple[str, ...],
    former: Mapping[str, Any],
    *,
    now: datetime,
) -> str:
    """The key of demo.json if it still lives, else a new one in place of it."""
    known = former.get(field)
    own = TenantKey.objects.filter(firm=firm, is_active=True, revoked_at__isnull=True)
    if isinstance(known, str) and own.filter(key_hash=hash_key(known)).exists():
        return known
    for row in own.filter(name=KEY_NAMES[field]):
        revoke_tenant_key(firm=firm, key_id=row.pk, actor=ACTOR, now=now)
    _, raw_key = create_tenant_key(
        firm=firm, name=KEY_NAMES[field], permissions=permissions, actor=ACTOR, now=now
    )
    return raw_key


def _ensure_staff(
    firm: Firm, former: Mapping[str, Any], *, now: datetime
) -> dict[str, dict[str, str]]:
    """One person per role; the Owner is the firm's first member of staff."""
    known = former.get("staff_roles") or {}
    people = {}
    for role in StaffRole.values:
        name = "owner" if role == StaffRole.ADMIN else role
        email = f"{name}@{firm.slug}.example"
        user = find_user_by_email(email) or register_user(email=email, password=None, now=now)
        if not user.memberships.filter(firm=firm, role=role, is_active=True).exists():
            grant_role(user=user, firm=firm, role=role, actor=None, now=now)
        earlier = former.get("staff") if role == StaffRole.ADMIN else known.get(role)
        people[role] = ensure_password(user, earlier)
    return people


def _ensure_trader(firm: Firm, former: Any, *, now: datetime) -> dict[str, Any]:
    """A registered trader who can also log in by password, with a demo account to trade."""
    email = f"trader@{firm.slug}.example"
    registered = register_trader(
        firm=firm,
        external_id=TRADER_EXTERNAL_ID,
        email=email,
        metadata={"cohort": "demo"},
        actor=ACTOR,
        now=now,
    )
    user = registered.participant.user
    account = FirmAccount.objects.filter(external_id=ACCOUNT_EXTERNAL_ID).first()
    if account is None:
        account = open_firm_account(
            user=user,
            external_id=ACCOUNT_EXTERNAL_ID,
            stage="demo",
            starting_balance=ACCOUNT_BALANCE,
            now=now,
        )
    login = ensure_password(user, former)
    return {
        **login,
        "external_id": TRADER_EXTERNAL_ID,
        "user_id": user.pk,
        "account_id": str(account.wallet.account_id),
    }


def _ensure_programs(*, now: datetime) -> None:
    known = set(AccountGroup.objects.values_list("group", flat=True))
    for group in GROUPS:
        if group["group"] not in known:
            add_group(data=group, actor=ACTOR, now=now)
    settings = PropSettings.objects.first()
    if settings is None:
        payer_group = AccountGroup.objects.get(group=PAYER_GROUP)
        PropSettings.objects.create(payer_group=payer_group, four_eyes_above=Decimal(1000))
    for program in PROGRAMS:
        if not Program.objects.filter(name=program["name"]).exists():
            create_program(data=program, actor=ACTOR, now=now)


def ensure_password(user: User, former: Any) -> dict[str, str]:
    """The password of demo.json goes on to work; without one the user gets a new one."""
    known = former.get("password") if isinstance(former, dict) else None
    if isinstance(known, str) and user.check_password(known):
        return {"email": user.email, "password": known}
    password = secrets.token_urlsafe(15)
    user.set_password(password)
    user.save(update_fields=["password"])
    EmailAddress.objects.filter(user=user, email=user.email).update(verified=True)
    return {"email": user.email, "password": password}
