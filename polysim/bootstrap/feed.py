"""Where prices come from: the real venue, or a stand-in venue that quickstart runs beside it."""

import random
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass

from polysim.bootstrap.paths import BootstrapError

CLOB_URL = "https://clob.polymarket.com"
PROBE_SECONDS_MAX = 5
MODES = ("auto", "live", "demo", "replay", "off")
# Below the range from which the system takes the local ports of outgoing connections.
PORT_FIRST, PORT_LAST = 20_000, 32_000
# A recording of books about a minute apart would hardly seem to move at its own pace.
QUICKSTART_REPLAY_SPEED = "30"


@dataclass(frozen=True)
class Feed:
    """The chosen mode, the variables it adds, and the stand-in venue's port if it needs one."""

    mode: str
    environment: dict[str, str]
    venue_port: int | None


def choose_feed(environment: dict[str, str]) -> Feed:
    """Resolve POLYMARKET_FEED_MODE (`auto` when unset: live if the venue answers, else demo).

    Raises BootstrapError for an unknown mode.
    """
    mode = environment.get("POLYMARKET_FEED_MODE", "auto")
    if mode not in MODES:
        raise BootstrapError(f"POLYMARKET_FEED_MODE must be one of {', '.join(MODES)}, not {mode}.")
    if mode == "auto":
        mode = (
            "live" if _venue_answers(environment.get("POLYMARKET_CLOB_URL", CLOB_URL)) else "demo"
        )
    if mode in ("live", "off"):
        return Feed(mode, {"POLYMARKET_FEED_MODE": mode}, None)
    port = free_port()
    http, websocket = f"http://127.0.0.1:{port}", f"ws://127.0.0.1:{port}"
    addresses = {
        "POLYMARKET_FEED_MODE": mode,
        "POLYMARKET_GAMMA_URL": f"{http}/gamma",
        "POLYMARKET_CLOB_URL": f"{http}/clob",
        "POLYMARKET_DATA_URL": f"{http}/data",
        "POLYMARKET_WS_MARKET_URL": f"{websocket}/ws/market",
    }
    if mode == "replay" and "POLYMARKET_REPLAY_SPEED" not in environment:
        addresses["POLYMARKET_REPLAY_SPEED"] = QUICKSTART_REPLAY_SPEED
    return Feed(mode, addresses, port)


def free_port() -> int:
    """A port on loopback that nobody listens on now."""
    for _ in range(200):
        port = random.randint(PORT_FIRST, PORT_LAST)
        if port_is_free(port):
            return port
    raise BootstrapError("No free port was found on 127.0.0.1.")


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _venue_answers(clob_url: str) -> bool:
    request = urllib.request.Request(  # noqa: S310 - the address is a setting
        f"{clob_url.rstrip('/')}/ok", headers={"User-Agent": "polysim"}
    )
    try:
        with urllib.request.urlopen(request, timeout=PROBE_SECONDS_MAX) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False
