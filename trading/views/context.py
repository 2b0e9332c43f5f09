"""What every page of the terminal shows around its content: accounts, feed, zone, theme."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from polysim.kernel.clock import to_milliseconds, utc_now
from polysim.kernel.errors import ServiceUnavailable
from trading.markets import books
from trading.markets.books import FeedState
from trading.selectors.pages.accounts import Account, OwnAccounts, read_own_accounts

ACCOUNT_KEY = "wallet_id"
SWITCHER_ROWS_MAX = 12
DEMO, REPLAY, LIVE = "demo", "replay", "live"
MODE_WORDS = {
    DEMO: "synthetic prices (demo)",
    REPLAY: "recorded prices, replayed",
    LIVE: "live venue feed",
}


@dataclass(frozen=True)
class FirmAccounts:
    """One firm's accounts of the person."""

    name: str
    all: tuple[Account, ...]

    @property
    def open(self) -> list[Account]:
        """Those that take orders."""
        return [account for account in self.all if not account.is_ended]

    @property
    def ended(self) -> list[Account]:
        """Read-only ones, folded in the switcher."""
        return [account for account in self.all if account.is_ended and not account.is_closed]

    @property
    def closed(self) -> list[Account]:
        """Closed by the firm."""
        return [account for account in self.all if account.is_closed]


@dataclass
class Shell:
    """Lazily read, so that a page that shows none of it pays for none of it."""

    request: HttpRequest

    @cached_property
    def user(self) -> Any:
        """The signed-in person or None."""
        user = getattr(self.request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @cached_property
    def zone(self) -> ZoneInfo:
        """The person's time zone; UTC for visitors."""
        try:
            return ZoneInfo(self.user.time_zone if self.user else "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    @property
    def theme(self) -> str:
        """system, light or dark; visitors choose in their browser."""
        return self.user.theme if self.user else "system"

    @cached_property
    def _own(self) -> OwnAccounts:
        if self.user is None:
            return OwnAccounts()
        return read_own_accounts(self.user, chosen_id=self.request.session.get(ACCOUNT_KEY))

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All accounts of the person."""
        return self._own.all

    @property
    def account(self) -> Account | None:
        """The active account: the session's choice, else the first (Main)."""
        return self._own.active

    @cached_property
    def nearest_accounts(self) -> list[Account]:
        """Own accounts in the switcher: the active one and the first of the others."""
        others = [account for account in self.own_accounts if account is not self.account]
        is_own = self.account is not None and not self.account.firm_name
        shown = others[: SWITCHER_ROWS_MAX - is_own]
        return [one for one in self.own_accounts if one is self.account or one in shown]

    @property
    def further_count(self) -> int:
        """Own accounts that stand on the page of all accounts only."""
        return len(self.own_accounts) - len(self.nearest_accounts)

    @cached_property
    def own_accounts(self) -> list[Account]:
        """Those that belong to no firm."""
        return [account for account in self.accounts if not account.firm_name]

    @cached_property
    def firms(self) -> list[FirmAccounts]:
        """Firm accounts, each firm's together; those it closed stand on the accounts' page only."""
        groups: dict[str, list[Account]] = {}
        for account in self.accounts:
            if account.firm_name:
                groups.setdefault(account.firm_name, []).append(account)
        return [FirmAccounts(name, tuple(accounts)) for name, accounts in groups.items()]

    @cached_property
    def feed(self) -> FeedState | None:
        """The state of the price feed; None while Valkey does not answer."""
        try:
            return books.read_feed_state()
        except ServiceUnavailable:
            return None

    @property
    def mode(self) -> str:
        """live, demo, replay or off."""
        return self.feed.mode if self.feed else "off"

    @property
    def mode_words(self) -> str:
        """What the footer and the status page call the prices."""
        return MODE_WORDS.get(self.mode, "no price feed")

    @property
    def is_halted(self) -> bool:
        """The venue is down: market orders are off."""
        return bool(self.feed and self.feed.is_halted)

    @property
    def is_feed_down(self) -> bool:
        """Nobody writes prices at the moment."""
        return self.feed is None or not self.feed.is_running(to_milliseconds(utc_now()))

    @property
    def feed_age_ms(self) -> int | None:
        """Milliseconds since the newest data of the venue; None when there never was any."""
        if self.feed is None or not self.feed.last_data_ms:
            return None
        return max(0, to_milliseconds(utc_now()) - self.feed.last_data_ms)


def get_shell(request: HttpRequest) -> Shell:
    """The request's shell; the same object for the view and its templates."""
    found: Shell | None = getattr(request, "_polysim_shell", None)
    if found is None:
        found = Shell(request)
        request._polysim_shell = found  # type: ignore[attr-defined]
    return found


def shell(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `shell` in every template."""
    return {"shell": SimpleLazyObject(lambda: get_shell(request))}
