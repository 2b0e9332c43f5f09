"""Records what a venue's doors and sockets say, for replay (`record_prices`).

A folder holds `meta.json`, `catalogue.jsonl.gz` (Gamma events with the recorded markets),
`books.jsonl.gz` (`received_at_ms`, `book`) and `frames.jsonl.gz` (`received_at_ms`, `connection`,
`frame` as received). Contract: polymarket-feed 2 to 4, 11.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

META_NAME: Final = "meta.json"
CATALOGUE_NAME: Final = "catalogue.jsonl.gz"
BOOKS_NAME: Final = "books.jsonl.gz"
FRAMES_NAME: Final = "frames.jsonl.gz"
FORMAT: Final = 1
TOKENS_PER_SOCKET: Final = 200
BOOKS_PER_REQUEST: Final = 100
EVENTS_PER_PAGE: Final = 100
PING_S: Final = 10.0
PONG_WITHIN_S: Final = 30.0
RECONNECT_S: Final = 2.0
FRAME_BYTES_MAX: Final = 16 * 1024 * 1024


class RecorderError(Exception):
    """The venue gave nothing to record."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The venue's doors, without trailing slash."""

    gamma: str
    clob: str
    socket: str


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class Recorder:
    """Records `markets` markets (the busiest ones, or those of the named events) into a folder."""

    def __init__(
        self,
        addresses: Addresses,
        folder: Path,
        *,
        market_limit: int,
        event_slugs: Sequence[str] = (),
        user_agent: str = "Polysim (paper trading; reads only)",
        report: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self._addresses = addresses
        self._folder = folder
        self._limit = market_limit
        self._slugs = list(event_slugs)
        self._agent = user_agent
        self._report = report
        self._frames: IO[str] | None = None
        self.frames_written = 0

    async def record(self, seconds: float) -> dict[str, Any]:
        """Record for so long and answer the meta data. Raises RecorderError.

        When cancelled, what was recorded until then is complete and playable.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        async with httpx.AsyncClient(headers={"User-Agent": self._agent}, timeout=20) as client:
            events = await self._read_catalogue(client)
            tokens = [token for event in events for token in _tokens_of(event)]
            if not tokens:
                raise RecorderError("the venue lists no market with an order book")
            _write_lines(self._folder / CATALOGUE_NAME, events)
            began_ms = _now_ms()
            count = await self._read_books(client, tokens)
        self._report(f"{len(tokens) // 2} markets, {count} books; recording {seconds:g} s")
        try:
            await self._listen(tokens, seconds)
        finally:
            meta = {
                "format": FORMAT,
                "began_ms": began_ms,
                "ended_ms": _now_ms(),
                "markets": len(tokens) // 2,
                "frames": self.frames_written,
            }
            (self._folder / META_NAME).write_text(json.dumps(meta, indent=2) + "\n")
        return meta

    # -- REST ----------------------------------------------------------------------------------
    async def _get(self, client: httpx.AsyncClient, path: str, params: dict[str, Any]) -> Any:
        try:
            answer = await client.get(f"{self._addresses.gamma}{path}", params=params)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise RecorderError(f"the catalogue did not answer: {error}") from None

    async def _read_catalogue(self, client: httpx.AsyncClient) -> list[dict[str, Any]]:
        """Events with their open markets, busiest first, until there are enough markets."""
        chosen: list[dict[str, Any]] = []
        left = self._limit
        params: dict[str, Any] = {
            "closed": "false",
            "order": "volume_24hr",
            "ascending": "false",
            "limit": EVENTS_PER_PAGE,
        }
        if self._slugs:
            params["slug"] = self._slugs
        while left > 0:
            page = await self._get(client, "/events/keyset", params)
            for event in page.get("events", []):
                markets = [m for m in event.get("markets") or () if _is_open(m)][:left]
                left -= len(markets)
                if markets:
                    chosen.append(event | {"markets": markets})
            if not page.get("next_cursor"):
                break
            params["after_cursor"] = page["next_cursor"]
        return chosen

    async def _read_books(self, client: httpx.AsyncClient, tokens: list[str]) -> int:
        """The books at the beginning, as REST answers them; a missing one comes by socket."""
        count = 0
        with gzip.open(self._folder / BOOKS_NAME, "wt", encoding="utf-8") as file:
            for start in range(0, len(tokens), BOOKS_PER_REQUEST):
                batch = tokens[start : start + BOOKS_PER_REQUEST]
                body = [{"token_id": token} for token in batch]
                try:
                    answer = await client.post(f"{self._addresses.clob}/books", json=body)
                    answer.raise_for_status()
                    books = answer.json()
                except (httpx.HTTPError, ValueError) as error:
                    self._report(f"no books for {len(batch)} tokens: {error}")
                    continue
                for book in books:
                    file.write(json.dumps({"received_at_ms": _now_ms(), "book": book}) + "\n")
                    count += 1
        return count

    # -- sockets -------------------------------------------------------------------------------
    async def _listen(self, tokens: list[str], seconds: float) -> None:
        with gzip.open(self._folder / FRAMES_NAME, "wt", encoding="utf-8") as file:
            self._frames = file
            parts = [
                tokens[start : start + TOKENS_PER_SOCKET]
                for start in range(0, len(tokens), TOKENS_PER_SOCKET)
            ]
            listeners = [
                asyncio.create_task(self._keep_listening(number, part))
                for number, part in enumerate(parts, start=1)
            ]
            try:
                await asyncio.sleep(seconds)
            finally:
                for listener in listeners:
                    listener.cancel()
                await asyncio.gather(*listeners, return_exceptions=True)
                self._frames = None

    async def _keep_listening(self, number: int, tokens: list[str]) -> None:
        while True:
            try:
                await self._listen_once(number, tokens)
            except (OSError, TimeoutError, WebSocketException) as error:
                self._report(f"socket {number}: {error or type(error).__name__}; connecting again")
            await asyncio.sleep(RECONNECT_S)

    async def _listen_once(self, number: int, tokens: list[str]) -> None:
        subscription = {
            "type": "market",
            "assets_ids": tokens,
            "initial_dump": True,
            "custom_feature_enabled": True,
        }
        async with connect(
            self._addresses.socket,
            ping_interval=None,
            max_size=FRAME_BYTES_MAX,
            user_agent_header=self._agent,
        ) as websocket:
            await websocket.send(json.dumps(subscription))
            pinger = asyncio.create_task(_ping(websocket))
            try:
                while True:
                    frame = await asyncio.wait_for(websocket.recv(), PONG_WITHIN_S)
                    self._write_frame(number, frame)
            finally:
                pinger.cancel()

    def _write_frame(self, number: int, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode("utf-8", "replace")
        if text == "PONG" or self._frames is None:
            return
        row = {"received_at_ms": _now_ms(), "connection": number, "frame": text}
        self._frames.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.frames_written += 1


async def _ping(websocket: Any) -> None:
    while True:
        await asyncio.sleep(PING_S)
        await websocket.send("PING")


def _is_open(market: dict[str, Any]) -> bool:
    """Whether a market can be recorded: it trades and names its two tokens."""
    trades = market.get("acceptingOrders") is True and market.get("closed") is not True
    return trades and len(_market_tokens(market)) == 2


def _market_tokens(market: dict[str, Any]) -> list[str]:
    listed = market.get("clobTokenIds") or "[]"
    try:
        tokens = json.loads(listed) if isinstance(listed, str) else listed
    except ValueError:
        return []
    return [str(token) for token in tokens]


def _tokens_of(event: dict[str, Any]) -> list[str]:
    return [token for market in event["markets"] for token in _market_tokens(market)]


def _write_lines(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with gzip.open(path, "wt", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
