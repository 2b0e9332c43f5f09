"""The folder of collected recordings: Gamma sweeps, REST books, days of baseball depth.

All days are played side by side, each from its own beginning. Only one token of a baseball market
was recorded: the other one's id is invented (and named as such in the row), its book is the mirror.
"""

from __future__ import annotations

import gzip
import hashlib
import heapq
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from trading.markets.standin.figures import FigureError, parse_figure
from trading.markets.standin.market import Event, Market
from trading.markets.standin.replay import rows
from trading.markets.standin.replay.recording import (
    COLLECTED_NAME,
    BookEntry,
    PriceTrack,
    RecordingError,
    Timed,
)

SWEEP_NAME: Final = "gamma_markets_2026-03-11.jsonl.gz"
SWEEP_BOOKS_NAME: Final = "clob_books_2026-03-11.jsonl.gz"
RESOLVED_NAME: Final = "gamma_markets_resolved_btc5m_2026-07-24.jsonl.gz"
EVENT_NAME: Final = "gamma_event_fed_june_2026.json"
EVENT_BOOKS_NAME: Final = "clob_books_fed_june_2026.json"
BASEBALL_TAGS: Final = (
    ("1", "Sports", "sports"),
    ("100381", "MLB", "mlb"),
    ("100639", "Games", "games"),
)
RECURRING_TAGS: Final = (
    ("21", "Crypto", "crypto"),
    ("102127", "Up or Down", "up-or-down"),
)
#: Ids of rows that were not recorded themselves; far above any of the venue's.
DERIVED_IDS: Final = 900_000_000
#: A day begins with its snapshot number 1/50 of all; the hours before are nearly empty.
QUIET_SHARE: Final = 50
LOOP_TAIL_MS: Final = 60_000
FINE_TICK: Final = 1_000
COARSE_TICK: Final = 10_000


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file, one per line, compressed or not; nothing if it is not there."""
    if not path.is_file():
        return
    with gzip.open(path, "rb") if path.suffix == ".gz" else open(path, "rb") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


class CollectedRecording:
    """Plays the collected recordings of one folder. Raises RecordingError when it has no depth."""

    def __init__(self, folder: Path, *, lists_everything: bool, now_ms: int) -> None:
        self._folder = folder
        self._now_ms = now_ms
        self.events: list[Event] = []
        self.first_books: list[BookEntry] = []
        self.tracks: dict[str, PriceTrack] = {}
        self.length_ms = 0
        self._by_token: dict[str, Market] = {}
        self._days: list[tuple[Path, int]] = []
        self._sweep_books: list[Timed] = []
        self._load_sweep(lists_everything)
        self._load_event()
        self._load_resolved()
        self._load_baseball()
        if not self.length_ms:
            raise RecordingError(f"no depth was found in {folder}")

    def entries(self) -> Iterator[Timed]:
        """All snapshots of one loop by rising time."""
        streams = [self._day_entries(path, start_ms) for path, start_ms in self._days]
        yield from heapq.merge(iter(self._sweep_books), *streams, key=lambda timed: timed[0])

    def _add_event(self, event: Event) -> None:
        self.events.append(event)
        for market in event.markets:
            for token in market.token_ids:
                self._by_token[token] = market

    # -- the sweep of 2026-03-11 ---------------------------------------------------------------
    def _load_sweep(self, lists_everything: bool) -> None:
        """Events of the sweep: those with recorded books, or all."""
        snapshots = list(lines_of(self._folder / SWEEP_BOOKS_NAME))
        wanted = {book["asset_id"] for row in snapshots for book in row["books"]}
        event_ids = self._sweep_events(wanted)
        parents: dict[str, dict[str, Any]] = {}
        markets: dict[str, list[Market]] = {}
        shift_ms = 0
        for row in lines_of(self._folder / SWEEP_NAME):
            parent = (row.get("events") or [{}])[0]
            event_id = str(parent.get("id", ""))
            if not event_id or not (lists_everything or event_id in event_ids):
                continue
            shift_ms = shift_ms or self._shift_from(row.get("updatedAt"))
            market = rows.read_market(row, shift_ms)
            if market is not None:
                parents.setdefault(event_id, parent)
                markets.setdefault(event_id, []).append(market)
        for event_id, parent in parents.items():
            event = rows.read_event(parent, markets[event_id], shift_ms, parent.get("tags") or ())
            self._add_event(event)
        self._load_sweep_books(snapshots)

    def _sweep_events(self, tokens: set[str]) -> set[str]:
        """Ids of the events that have a market with one of the tokens."""
        found = set()
        for row in lines_of(self._folder / SWEEP_NAME):
            listed = row.get("clobTokenIds") or "[]"
            if any(token in tokens for token in json.loads(listed)):
                found.add(str((row.get("events") or [{}])[0].get("id", "")))
        return found

    def _load_sweep_books(self, snapshots: list[dict[str, Any]]) -> None:
        began_ms = min((int(b["timestamp"]) for row in snapshots for b in row["books"]), default=0)
        seen: set[str] = set()
        timed: list[Timed] = []
        for row in snapshots:
            for book in row["books"]:
                entry = self._book_entry(book)
                if entry is None:
                    continue
                if entry.market.condition_id not in seen:
                    seen.add(entry.market.condition_id)
                    self.first_books.append(entry)
                timed.append((max(0, int(book["timestamp"]) - began_ms), entry))
        self._sweep_books = sorted(timed, key=lambda each: each[0])

    def _book_entry(self, book: dict[str, Any]) -> BookEntry | None:
        """The book of a first outcome; that of a second one is its mirror and left out."""
        market = self._by_token.get(str(book.get("asset_id")))
        if market is None or market.index_of(book["asset_id"]) != 0:
            return None
        try:
            last = parse_figure(book.get("last_trade_price") or "")
        except FigureError:
            last = None
        # Recorded books name the same last trade price for both tokens.
        last_prices = None if last is None else (last, last)
        bids, asks = rows.level_map(book.get("bids")), rows.level_map(book.get("asks"))
        return BookEntry(market, bids, asks, last_prices)

    # -- one event with its books --------------------------------------------------------------
    def _load_event(self) -> None:
        path = self._folder / EVENT_NAME
        if not path.is_file():
            return
        row = json.loads(path.read_bytes())
        shift_ms = self._shift_from(row.get("updatedAt"))
        read = (rows.read_market(market, shift_ms) for market in row["markets"])
        markets = [market for market in read if market is not None]
        self._add_event(rows.read_event(row, markets, shift_ms, row.get("tags") or ()))
        books_path = self._folder / EVENT_BOOKS_NAME
        for book in json.loads(books_path.read_bytes()) if books_path.is_file() else []:
            entry = self._book_entry(book)
            if entry is not None:
                self.first_books.append(entry)

    # -- resolved windows ----------------------------------------------------------------------
    def _load_resolved(self) -> None:
        """Bitcoin windows with their results; their rows stand alone, an event is put around."""
        for row in lines_of(self._folder / RESOLVED_NAME):
            raw = row["raw"]
            market = rows.read_market(raw, 0)
            if market is None:
                continue
            parent = {"id": str(DERIVED_IDS + int(raw["id"])), "title": raw["question"]}
            parent |= {name: raw.get(name) for name in ("slug", "startDate", "endDate")}
            tags = [dict(zip(("id", "label", "slug"), tag, strict=True)) for tag in RECURRING_TAGS]
            event = rows.read_event(parent | {"closed": True, "active": True}, [market], 0, tags)
            self._add_event(event)

    # -- baseball ------------------------------------------------------------------------------
    def _load_baseball(self) -> None:
        games: dict[str, list[dict[str, Any]]] = {}
        for row in lines_of(self._folder / COLLECTED_NAME):
            games.setdefault(_game_of(row["slug"]), []).append(row)
        # Ids rise with the number of snapshots: the liveliest games are listed first.
        ranked = sorted(games.items(), key=lambda game: sum(r["snapshots"] for r in game[1]))
        starts = self._day_starts(games)
        number = DERIVED_IDS + 500_000_000
        for slug, listed in ranked:
            number += 100
            self._add_event(self._game_event(slug, listed, number, starts))
        for name, first_ms in sorted(starts.items()):
            quiet_ms = self._read_day(self._folder / name, first_ms)
            self._days.append((self._folder / name, first_ms + quiet_ms))

    def _day_starts(self, games: dict[str, list[dict[str, Any]]]) -> dict[str, int]:
        starts: dict[str, int] = {}
        for row in (row for listed in games.values() for row in listed):
            first_ms = rows.moment_of(row["first"]) or 0
            known = starts.get(row["file"], first_ms)
            if (self._folder / row["file"]).is_file():
                starts[row["file"]] = min(known, first_ms)
        return starts

    def _game_event(
        self, slug: str, listed: list[dict[str, Any]], number: int, starts: dict[str, int]
    ) -> Event:
        first = listed[0]
        shift_ms = self._now_ms - starts.get(first["file"], self._now_ms)
        title = _teams_text(slug)
        markets = []
        for rank, row in enumerate(sorted(listed, key=lambda each: each["slug"])):
            market = rows.read_market(_baseball_row(row, title, number + 1 + rank), shift_ms)
            assert market is not None
            markets.append(market)
        parent = {
            "id": str(number),
            "slug": slug,
            "title": title,
            "endDate": first["first_pitch"],
            "active": True,
            "description": _baseball_rules(title),
            "negRisk": False,
        }
        tags = [dict(zip(("id", "label", "slug"), tag, strict=True)) for tag in BASEBALL_TAGS]
        return rows.read_event(parent, markets, shift_ms, tags)

    def _read_day(self, path: Path, first_ms: int) -> int:
        """First book, tick and price track of every market of a day.

        Answers how long the day is quiet before it really begins: hours with hardly a snapshot
        are skipped, what they hold happens at the beginning of the loop.
        """
        seen: set[str] = set()
        offsets: list[int] = []
        tracks: dict[str, PriceTrack] = {}
        for offset_ms, entry in self._day_entries(path, first_ms):
            offsets.append(offset_ms)
            market = entry.market
            track = tracks.setdefault(market.condition_id, PriceTrack())
            if entry.bids and entry.asks:
                track.add(offset_ms, (max(entry.bids) + min(entry.asks)) // 2)
            if market.tick != FINE_TICK and _is_fine(entry):
                market.tick = FINE_TICK
            if market.condition_id not in seen:
                seen.add(market.condition_id)
                self.first_books.append(entry)
        if not offsets:
            return 0
        quiet_ms = offsets[len(offsets) // QUIET_SHARE]
        for track in tracks.values():
            track.begin_at(quiet_ms)
        self.tracks |= tracks
        self.length_ms = max(self.length_ms, offsets[-1] - quiet_ms + LOOP_TAIL_MS)
        return quiet_ms

    def _day_entries(self, path: Path, start_ms: int) -> Iterator[tuple[int, BookEntry]]:
        latest_ms = 0
        for row in lines_of(path):
            market = self._by_token.get(row["token_id"])
            if market is None:
                continue
            offset_ms = (rows.moment_of(row["timestamp"]) or start_ms) - start_ms
            # Lines are sorted by the text of their time, which is wrong by milliseconds at times.
            latest_ms = max(latest_ms, offset_ms)
            bids = rows.level_map(json.loads(row["bids"]))
            asks = rows.level_map(json.loads(row["asks"]))
            yield latest_ms, BookEntry(market, bids, asks)

    def _shift_from(self, recorded: object) -> int:
        moment = rows.moment_of(recorded)
        return 0 if moment is None else self._now_ms - moment


def _is_fine(entry: BookEntry) -> bool:
    return any(price % COARSE_TICK for levels in (entry.bids, entry.asks) for price in levels)


def _game_of(slug: str) -> str:
    """`mlb-laa-tb-2026-05-30` of that market and of its `-total-7pt5` sisters."""
    return "-".join(slug.split("-")[:6])


def _teams_text(slug: str) -> str:
    parts = slug.split("-")
    return f"{parts[1].upper()} vs. {parts[2].upper()} ({'-'.join(parts[3:6])})"


def _baseball_rules(title: str) -> str:
    return (
        f"Recorded order books of the baseball game {title}, from the six hours before the first "
        "pitch. The names follow from the market's slug; the recording holds one of the two "
        "outcomes, the other one is its mirror."
    )


def _baseball_row(row: dict[str, Any], title: str, number: int) -> dict[str, Any]:
    """A Gamma row for a market of which only depth, slug and result were recorded."""
    slug = row["slug"]
    if row["market_type"] == "total":
        line = slug.rpartition("-total-")[2].replace("pt", ".")
        outcomes, question = ["Over", "Under"], f"{title}: total runs over {line}?"
    else:
        teams = slug.split("-")
        outcomes, question = [teams[1].upper(), teams[2].upper()], f"{title}: winner"
    invented = str(int(hashlib.sha256(f"mirror {row['token_id']}".encode()).hexdigest(), 16))
    return {
        "id": str(number),
        "conditionId": row["condition_id"],
        "slug": slug,
        "question": question,
        "description": _baseball_rules(title),
        "groupItemTitle": "" if row["market_type"] != "total" else f"O/U {line}",
        "outcomes": json.dumps(outcomes),
        "clobTokenIds": json.dumps([row["token_id"], invented]),
        "inventedTokenIds": [invented],
        "endDate": row["first_pitch"],
        "active": True,
        "closed": False,
        "archived": False,
        "acceptingOrders": True,
        "enableOrderBook": True,
        "orderPriceMinTickSize": 0.01,
        "orderMinSize": 5,
        "negRisk": False,
        "sportsMarketType": row["market_type"],
        "clearBookOnStart": False,
        "umaResolutionStatuses": "[]",
    }
