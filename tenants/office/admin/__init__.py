"""The BackOffice's screens over what a firm has in the street and in its office."""

from tenants.office.admin import audit, keys, redirects, settings, staff, traders, webhooks

__all__ = ["audit", "keys", "redirects", "settings", "staff", "traders", "webhooks"]
