"""Reads settings from the environment; a value of the wrong form stops the start with its name."""

import os
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}


def env_text(name: str, default: str) -> str:
    """The variable's text."""
    return os.environ.get(name, default)


def env_bool(name: str, default: bool) -> bool:
    """1/true/yes/on or 0/false/no/off."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() not in TRUE | FALSE:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value.lower() in TRUE


def env_int(name: str, default: int) -> int:
    """A whole number, not negative."""
    value = os.environ.get(name)
    if value is None:
        return default
    if not value.isdigit():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def env_decimal(name: str, default: str) -> Decimal:
    """A decimal number above zero."""
    value = os.environ.get(name, default)
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ImproperlyConfigured(f"{name} must be a number, not {value!r}.") from None
    if not number.is_finite() or number <= 0:
        raise ImproperlyConfigured(f"{name} must be above zero, not {value!r}.")
    return number


def env_list(name: str, default: list[str]) -> list[str]:
    """Values separated by commas."""
    value = os.environ.get(name)
    if value is None:
        return default
    return [part.strip() for part in value.split(",") if part.strip()]


def database_from_url(
    url: str, *, pool_min: int, pool_max: int, pool_timeout_s: int
) -> dict[str, Any]:
    """Django's database settings from a TCP or socket URL, with a connection pool."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(url)
    known = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST"}
    known["port"] = "PORT"
    settings: dict[str, Any] = {
        django: str(parts.pop(libpq)) for libpq, django in known.items() if parts.get(libpq)
    }
    options: dict[str, Any] = {name: value for name, value in parts.items() if value}
    options["pool"] = {"min_size": pool_min, "max_size": pool_max, "timeout": pool_timeout_s}
    return {
        "ENGINE": "django_tenants.postgresql_backend",
        "CONN_MAX_AGE": 0,
        # The tenants' backend lets the driver's own errors through when it opens one of these.
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": options,
        **settings,
    }


def cache_url(url: str, *, database: int) -> str:
    """The URL of one numbered database, for redis-py and Django's cache."""
    if url.startswith("unix://"):
        return f"{url.partition('?')[0]}?db={database}"
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/{database}"


def celery_url(url: str, *, database: int) -> str:
    """The same for Celery's broker, which spells sockets differently."""
    if url.startswith("unix://"):
        path = url.removeprefix("unix://").split("?", maxsplit=1)[0]
        return f"redis+socket://{path}?virtual_host={database}"
    return cache_url(url, database=database)
