"""Names of every key and channel of the live books, in one place."""

from polysim.kernel.redis import key

BOOK_TTL_S = 7 * 24 * 3600  # a closed market's last book is kept for display (polymarket-feed 7)
PAGE_INTEREST_S = 300  # unsubscribing waits 5 minutes after the last interest (4.5)
PRINT_TTL_S = 3600  # longer than any repeat of a print after a reconnect
HELD_KINDS = ("orders", "positions", "watchlists")


def book_key(condition_id: str) -> str:
    """Hash: both tokens' books, quote, seq, confirmation."""
    return key("book", condition_id)


def taken_key(condition_id: str) -> str:
    """Hash: depletion key -> scaled shares taken from that level (trading-api 7.3)."""
    return key("taken", condition_id)


def feed_key() -> str:
    """Hash: the feed's own state; one field `conn:<id>` per healthy venue connection."""
    return key("feed")


def owner_key() -> str:
    """The lease of the one process that may write books (polymarket-feed 5.4)."""
    return key("feed", "owner")


def print_key(identity: str) -> str:
    """Marks a printed trade that has filled resting orders (trading-api 7.3)."""
    return key("print", identity)


def page_interest_key() -> str:
    """Sorted set: condition ids that pages and API readers look at, score = unix ms."""
    return key("interest", "pages")


def held_interest_key(kind: str) -> str:
    """Set: condition ids with open orders, positions or watchlist entries."""
    if kind not in HELD_KINDS:
        raise ValueError(f"unknown kind of interest: {kind}")
    return key("interest", kind)


def tick_channel(condition_id: str) -> str:
    """Pub/sub: price, book and trade frames of one market."""
    return key("tick", condition_id)


def user_channel(user_id: int) -> str:
    """Pub/sub: fill, order, settlement and wallet frames of one user."""
    return key("user", user_id)


def feed_channel() -> str:
    """Pub/sub: changes of the feed's state (mode, halt, staleness)."""
    return key("channel", "feed")


def catalogue_channel() -> str:
    """Pub/sub: a market appeared, changed, closed or resolved."""
    return key("channel", "catalogue")


def orders_channel() -> str:
    """Pub/sub: the matcher's index of open orders."""
    return key("channel", "orders")


def interest_channel() -> str:
    """Pub/sub: condition ids somebody has just begun to look at, to subscribe them at once."""
    return key("channel", "interest")
