"""One tick to 1,000 sockets: the terminal's socket against a bare ASGI app (same server, Valkey).

    python -m benchmarks.fanout [--sockets 1000] [--ticks 40]

Both servers run daphne in a process of their own and read one Valkey subscription. The bare app
does nothing but hand each message to a queue per socket. Ticks alternate between both, so that
other load on the machine meets both alike. Latency is counted from the publish to the moment a
socket's bytes arrive. Then the same again with readers at the terminal that never read. Passes
when both p99 ratios are at most 3 and no tick is lost. Prints the columns and the ratios.
"""

import argparse
import asyncio
import base64
import json
import os
import resource
import secrets
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

RATIO_MAX = 3.0
SLOW_READERS = 20
TICK_TIMEOUT_S = 10.0
OURS = "0x" + "a1" * 32
BARE = "0x" + "b2" * 32


# -- servers ---------------------------------------------------------------------------------------
def serve(kind: str, port: int) -> None:
    """One of the two servers, on the production server's settings."""
    import daphne.server
    import django

    django.setup()
    application: Any = bare_application()
    if kind == "ours":
        from trading.consumers import application
    daphne.server.Server(
        application=application,
        endpoints=[f"tcp:port={port}:interface=127.0.0.1"],
        websocket_timeout=-1,
    ).run()


def bare_application() -> Callable[..., Awaitable[None]]:
    """The ceiling: one subscription, one queue per socket, no protocol of our own."""
    from polysim.kernel.redis import open_async_redis
    from trading.markets.books import keys

    queues: set[asyncio.Queue[str]] = set()
    tasks: list[asyncio.Task[None]] = []

    async def read() -> None:
        async with open_async_redis().pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.psubscribe(keys.tick_channel("*"))
            async for message in pubsub.listen():
                if message["channel"] == keys.tick_channel(BARE):
                    for queue in queues:
                        queue.put_nowait(message["data"])

    async def application(scope: Any, receive: Any, send: Any) -> None:
        if not tasks:
            tasks.append(asyncio.create_task(read()))
        await receive()
        await send({"type": "websocket.accept"})
        queue: asyncio.Queue[str] = asyncio.Queue()
        queues.add(queue)
        while True:
            await send({"type": "websocket.send", "text": await queue.get()})

    return application


# -- clients ---------------------------------------------------------------------------------------
class Client(asyncio.Protocol):
    """A websocket client that only notes when a frame with the awaited mark has arrived."""

    def __init__(self, round_: "Round", path: str, hello: str) -> None:
        self._round = round_
        self._path = path
        self._hello = hello
        self._buffer = b""
        self._is_open = False
        self.opened = asyncio.get_running_loop().create_future()
        self.transport: Any = None

    def watch(self, round_: "Round") -> None:
        """Tell another round of what arrives from now on."""
        self._round = round_

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        arrived_s = time.perf_counter()
        self._buffer += data
        if not self._is_open:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return
            assert b" 101 " in head.split(b"\r\n")[0], head
            self._is_open, self._buffer = True, rest
            if self._hello:
                self.transport.write(masked_frame(self._hello))
            self.opened.set_result(None)
        while (frame := self._take_frame()) is not None:
            self._round.note(self, frame, arrived_s)

    def _take_frame(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length == 126:
            if len(buffer) < 4:
                return None
            length, start = struct.unpack(">H", buffer[2:4])[0], 4
        if len(buffer) < start + length:
            return None
        self._buffer = buffer[start + length :]
        return buffer[start : start + length]


def masked_frame(text: str) -> bytes:
    """A client's text frame with a zero mask."""
    payload = text.encode()
    assert len(payload) < 126 or len(payload) < 65_536
    size = bytes([0x80 | len(payload)])
    if len(payload) >= 126:
        size = bytes([0x80 | 126]) + struct.pack(">H", len(payload))
    return b"\x81" + size + b"\0\0\0\0" + payload


class Round:
    """The deliveries of one tick."""

    def __init__(self) -> None:
        self.latencies_s: list[float] = []
        self.lost = 0
        self._mark = b""
        self._sent_s = 0.0
        self._missing: set[Client] = set()
        self._done = asyncio.Event()

    def note(self, client: Client, frame: bytes, arrived_s: float) -> None:
        """A frame arrived somewhere."""
        if self._mark and self._mark in frame and client in self._missing:
            self._missing.discard(client)
            self.latencies_s.append(arrived_s - self._sent_s)
            if not self._missing:
                self._done.set()

    async def run(self, clients: list[Client], publish: Callable[[str], None]) -> None:
        """Publish one tick and wait until every client has it."""
        mark = secrets.token_hex(8)
        self._mark, self._missing = mark.encode(), set(clients)
        self._done.clear()
        self._sent_s = time.perf_counter()
        publish(mark)
        try:
            await asyncio.wait_for(self._done.wait(), TICK_TIMEOUT_S)
        except TimeoutError:
            self.lost += len(self._missing)


def tick(condition_id: str, mark: str) -> str:
    """A price frame of realistic size."""
    from trading.markets.books import TokenBook, frames
    from trading.markets.pricing import Book

    card = frames.MarketCard(condition_id, ("Yes", mark), ("7" * 77, "8" * 77), "48210.75")
    book = Book(((610_000, 10_000_000),), ((630_000, 10_000_000),))
    pair = (TokenBook("7" * 77, book), TokenBook("8" * 77, Book()))
    now_ms = time.time_ns() // 1_000_000
    return frames.price_frame(card, pair, emit_ms=now_ms, changed_ms=now_ms, confirmed_ms=now_ms)


async def open_clients(
    round_: Round, port: int, number: int, *, path: str, hello: str
) -> list[Client]:
    """Open sockets in groups, as a server's backlog is short."""
    loop = asyncio.get_running_loop()
    clients: list[Client] = []
    for start in range(0, number, 50):
        group = []
        for _ in range(start, min(number, start + 50)):
            _, client = await loop.create_connection(
                lambda: Client(round_, path, hello), "127.0.0.1", port
            )
            group.append(client)
        await asyncio.wait_for(asyncio.gather(*(client.opened for client in group)), 60)
        clients += group
    return clients


def open_slow_readers(port: int, hello: str) -> list[socket.socket]:
    """Sockets that subscribe and then never read another byte."""
    readers = []
    for _ in range(SLOW_READERS):
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", port))
        reader.sendall(
            b"GET /ws/terminal/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            b"Sec-WebSocket-Version: 13\r\n\r\n"
        )
        reader.recv(1024)
        reader.sendall(masked_frame(hello))
        readers.append(reader)
    return readers


# -- the measurement -------------------------------------------------------------------------------
async def measure(ports: dict[str, int], sockets: int, ticks: int) -> int:
    """Run all rounds, print the table, answer the exit status."""
    from polysim.kernel.redis import get_redis
    from trading.markets import books
    from trading.markets.books import MarketWrite, keys

    books.write_market(
        MarketWrite(OURS, (None, None), confirmed_at_ms=1, price_frame=tick(OURS, "snapshot"))
    )
    hello = json.dumps({"action": "subscribe", "markets": [OURS]})
    rounds = {name: Round() for name in ("ours", "bare", "slow", "control")}
    ours = await open_clients(
        rounds["ours"], ports["ours"], sockets, path="/ws/terminal/", hello=hello
    )
    bare = await open_clients(rounds["bare"], ports["bare"], sockets, path="/", hello="")
    await asyncio.sleep(2)

    def publish_to(condition_id: str) -> Callable[[str], None]:
        channel = keys.tick_channel(condition_id)
        return lambda mark: get_redis().publish(channel, tick(condition_id, mark))

    for number in range(ticks + 2):
        for name, clients, condition_id in (("ours", ours, OURS), ("bare", bare, BARE)):
            await rounds[name].run(clients, publish_to(condition_id))
            await asyncio.sleep(0.05)
        if number < 2:  # the first ticks warm both up
            rounds["ours"].latencies_s.clear()
            rounds["bare"].latencies_s.clear()
    readers = open_slow_readers(ports["ours"], hello)
    await asyncio.sleep(0.5)
    for client in ours:
        client.watch(rounds["slow"])
    for client in bare:
        client.watch(rounds["control"])
    for _ in range(ticks):
        await rounds["slow"].run(ours, publish_to(OURS))
        await asyncio.sleep(0.05)
        await rounds["control"].run(bare, publish_to(BARE))
        await asyncio.sleep(0.05)
    for reader in readers:
        reader.close()
    return report(rounds, sockets)


def percentile_ms(latencies_s: list[float], share: float) -> float:
    """That share of the deliveries was at most so late."""
    ordered = sorted(latencies_s)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


def report(rounds: dict[str, Round], sockets: int) -> int:
    """Print the columns and judge them."""
    table = {
        name: {
            f"p{int(share * 100)}": percentile_ms(round_.latencies_s, share)
            for share in (0.5, 0.9, 0.99)
        }
        for name, round_ in rounds.items()
    }
    print(f"one tick to {sockets} sockets, latency in ms per delivery")
    print(f"{'':6}{'terminal':>12}{'bare ASGI':>12}{'ratio':>8}", end="")
    print(f"{'with slow readers':>20}{'bare ASGI':>12}{'ratio':>8}")
    for name in ("p50", "p90", "p99"):
        ours, bare, slow, control = (table[kind][name] for kind in rounds)
        print(f"{name:6}{ours:12.1f}{bare:12.1f}{ours / bare:8.2f}", end="")
        print(f"{slow:20.1f}{control:12.1f}{slow / control:8.2f}")
    lost = {name: round_.lost for name, round_ in rounds.items()}
    delivered = {name: len(round_.latencies_s) for name, round_ in rounds.items()}
    print(f"delivered {delivered}, lost {lost}, slow readers {SLOW_READERS}")
    ratio = table["ours"]["p99"] / table["bare"]["p99"]
    slow_ratio = table["slow"]["p99"] / table["control"]["p99"]
    is_good = max(ratio, slow_ratio) <= RATIO_MAX and not sum(lost.values())
    print(
        f"p99 ratio {ratio:.2f}, with slow readers {slow_ratio:.2f} (at most {RATIO_MAX}): "
        f"{'passed' if is_good else 'FAILED'}"
    )
    return 0 if is_good else 1


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    """Wait until somebody listens."""
    deadline_s = time.monotonic() + 60
    while time.monotonic() < deadline_s:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"nobody listens on port {port}")


def main() -> int:
    """Start Valkey and both servers, measure, end them."""
    parser = argparse.ArgumentParser(prog="benchmarks.fanout", description=__doc__)
    parser.add_argument("--sockets", type=int, default=1000)
    parser.add_argument("--ticks", type=int, default=40)
    parser.add_argument("--serve", choices=("ours", "bare"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polysim.settings")
    os.environ.setdefault("POLYSIM_SECRET_KEY", "measures only and protects nothing at all")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.serve:
        serve(options.serve, options.port)
        return 0
    return run(options.sockets, options.ticks)


def run(sockets: int, ticks: int) -> int:
    """The parent's part of `main`."""
    from polysim.bootstrap.processes import stop_all
    from polysim.bootstrap.valkey import EmbeddedValkey

    with tempfile.TemporaryDirectory(prefix="polysim-fanout-") as folder:
        valkey = EmbeddedValkey(socket_directory=Path(folder), log_path=Path(folder) / "valkey.log")
        running = valkey.start()
        os.environ["REDIS_URL"] = valkey.url
        ports = {"ours": free_port(), "bare": free_port()}
        servers = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.fanout", "--serve", kind, "--port", str(port)]
            )
            for kind, port in ports.items()
        ]
        try:
            import django

            django.setup()
            for port in ports.values():
                wait_for_port(port)
            return asyncio.run(measure(ports, sockets, ticks))
        finally:
            for server in servers:
                server.kill()
                server.wait()
            stop_all([running], seconds_max=5)


if __name__ == "__main__":
    sys.exit(main())
