"""The people of a demo installation, made once and kept; their secrets stand in demo.json.

Passwords and the bot's key are random per installation. Each step looks first, so that a repeat
after a crash or an upgrade finishes what is missing and keeps what is there.
"""

import json
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from allauth.account.models import EmailAddress
from django.conf import settings
from django.contrib.sites.models import Site
from django.db import transaction
from django_tenants.utils import get_public_schema_name, schema_context

from polysim.kernel.tenancy import enter_building
from tenants.lookups import clear_lookups, hash_key
from tenants.models import ApiKey, Firm, StaffRole, User, WalletKind
from tenants.selectors import find_user_by_email
from tenants.services import (
    create_api_key,
    create_firm,
    grant_role,
    open_retail,
    register_user,
    revoke_api_key,
)
from wallets.models import Wallet
from wallets.services import create_sandbox_wallet, open_api_wallet, register_retail_user

FIRMS = (("alpha", "Alpha Prop"), ("beta", "Beta Prop"))
ADMIN_EMAIL = "admin@polysim.example"
TRADER_EMAIL = "trader@polysim.example"
TRADER_PLAN = "pro"
BOT_KEY_NAME = "demo bot"
LOOPBACK_NAMES = ("localhost", "127.0.0.1")


# What a firm of the demo has besides its Owner: (firm, its former part of demo.json, now).
SeedFirm = Callable[[Firm, Mapping[str, Any], datetime], dict[str, Any]]


def seed_demo(*, base_url: str, path: Path, now: datetime, seed_firm: SeedFirm) -> Path:
    """Seed everything and write `path`, usually demo.json (mode 0600); answers the path.

    Migrations were run before. `base_url` is the platform's address without a final slash. What
    the file says already (passwords, keys) stays valid. `seed_firm` adds what stands right of
    wallets: keys, traders, programs.
    """
    former = _read_former(path)
    address = urlsplit(base_url)
    with schema_context(get_public_schema_name()):
        own_hosts = [settings.PLATFORM_HOST, address.hostname or "localhost", *LOOPBACK_NAMES]
        retail = open_retail(hosts=own_hosts, now=now)
        Site.objects.update_or_create(
            id=settings.SITE_ID, defaults={"domain": address.netloc, "name": "Polysim"}
        )
        admin = _ensure_admin(former, now=now)
        firms = [
            _ensure_firm(slug, name, former, port=address.port, seed_firm=seed_firm, now=now)
            for slug, name in FIRMS
        ]
    with enter_building(retail.schema_name):
        trader, user = _ensure_trader(former, now=now)
        bot_key = _ensure_bot_key(user, former, now=now)
    clear_lookups()
    document = {
        "base_url": base_url,
        "admin": admin,
        "trader": trader,
        "bot_key": bot_key,
        "firms": firms,
    }
    _write(path, document)
    return path


def _read_former(path: Path) -> dict[str, Any]:
    try:
        former = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return former if isinstance(former, dict) else {}


def _write(path: Path, document: Mapping[str, Any]) -> None:
    """Replace the file in one step; nobody but its owner may read it at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix="demo-")
    with os.fdopen(handle, "w") as file:
        json.dump(document, file, indent=2)
        file.write("\n")
    os.chmod(temporary, 0o600)
    os.replace(temporary, path)


def _ensure_firm(
    slug: str,
    name: str,
    former: Mapping[str, Any],
    *,
    port: int | None,
    seed_firm: SeedFirm,
    now: datetime,
) -> dict[str, Any]:
    """The firm, its host and its Owner; answers its part of demo.json."""
    host = f"{slug}.{settings.FIRM_HOST_SUFFIX}"
    email = f"owner@{slug}.example"
    firm = Firm.objects.filter(slug=slug, is_active=True).first()
    if firm is None:
        firm = create_firm(
            slug=slug,
            name=name,
            host=host,
            first_staff_email=email,
            actor=None,
            now=now,
            is_mail_wanted=False,
        )
    owner = find_user_by_email(email) or register_user(email=email, password=None, now=now)
    if not owner.memberships.filter(firm=firm, is_active=True).exists():
        grant_role(user=owner, firm=firm, role=StaffRole.ADMIN, actor=None, now=now)
    of_firm: dict[str, Any] = next(
        (row for row in former.get("firms") or [] if row.get("slug") == slug), {}
    )
    staff = _ensure_password(owner, of_firm.get("staff"))
    return {
        "slug": slug,
        "name": firm.name,
        "host": f"{host}:{port}" if port else host,
        "staff": staff,
        **seed_firm(firm, {**of_firm, "staff": staff}, now),
        "firm_api": of_firm.get("firm_api"),
    }


def _ensure_admin(former: Mapping[str, Any], *, now: datetime) -> dict[str, str]:
    admin = find_user_by_email(ADMIN_EMAIL) or register_user(
        email=ADMIN_EMAIL,
        password=None,
        now=now,
        display_name="Platform administrator",
        is_email_verified=True,
        is_platform_admin=True,
    )
    return _ensure_password(admin, former.get("admin"))


def _ensure_trader(former: Mapping[str, Any], *, now: datetime) -> tuple[dict[str, str], User]:
    """The trader on plan pro with MAIN, API and SANDBOX wallets."""
    user = find_user_by_email(TRADER_EMAIL) or register_retail_user(
        email=TRADER_EMAIL,
        password=None,
        now=now,
        display_name="Demo trader",
        plan=TRADER_PLAN,
        is_email_verified=True,
    )
    open_api_wallet(user=user, now=now, actor=user)
    sandboxes = Wallet.objects.filter(user=user, kind=WalletKind.SANDBOX)
    if not sandboxes.filter(status=Wallet.Status.ACTIVE).exists():
        create_sandbox_wallet(user=user, label="Playground", now=now, actor=user)
    return _ensure_password(user, former.get("trader")), user


def _ensure_password(user: User, former: Any) -> dict[str, str]:
    """The password of demo.json goes on to work; without one the user gets a new one."""
    known = former.get("password") if isinstance(former, dict) else None
    if isinstance(known, str) and user.check_password(known):
        return {"email": user.email, "password": known}
    password = secrets.token_urlsafe(15)
    user.set_password(password)
    user.save(update_fields=["password"])
    EmailAddress.objects.filter(user=user, email=user.email).update(verified=True)
    return {"email": user.email, "password": password}


@transaction.atomic
def _ensure_bot_key(user: User, former: Mapping[str, Any], *, now: datetime) -> str:
    """The key of demo.json if it still lives, else a new one in place of it."""
    known = former.get("bot_key")
    own = ApiKey.objects.filter(user=user, is_active=True)
    if isinstance(known, str) and own.filter(key_hash=hash_key(known)).exists():
        return known
    for row in own.filter(name=BOT_KEY_NAME):
        revoke_api_key(user=user, key_id=row.pk, actor=None, now=now)
    _, raw_key = create_api_key(
        user=user,
        tier=user.plan,
        permissions=["read", "trade"],
        now=now,
        actor=None,
        name=BOT_KEY_NAME,
    )
    return raw_key
