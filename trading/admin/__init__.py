"""Orders, fills and positions in the platform's admin; firm accounts in the BackOffice."""

from trading.admin import accounts, dashboard, platform, support

__all__ = ["accounts", "dashboard", "platform", "support"]
