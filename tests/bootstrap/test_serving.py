"""One port: sockets and streams to the loop, everything else to the threads."""

from types import SimpleNamespace

import pytest
from twisted.internet.testing import StringTransport

from polysim.serving import (
    Message,
    Receive,
    Send,
    _protocol_factory,
    _socket_factory,
    split_by_path,
)


def named(name: str, seen: list[str]) -> object:
    async def application(scope: Message, receive: Receive, send: Send) -> None:
        seen.append(name)

    return application


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("http", "/markets/", "pages"),
        ("http", "/v1/orders", "pages"),
        ("http", "/v1/ws/prices", "streams"),
        ("http", "/prices/stream", "streams"),
        ("websocket", "/ws/terminal/", "streams"),
        ("websocket", "/anything", "streams"),
    ],
)
async def test_chooses_by_kind_and_path(kind: str, path: str, expected: str) -> None:
    seen: list[str] = []
    application = split_by_path(named("pages", seen), named("streams", seen))  # type: ignore[arg-type]

    async def nothing(*args: object) -> Message:
        return {}

    await application({"type": kind, "path": path}, nothing, nothing)  # type: ignore[arg-type]
    assert seen == [expected]


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "multipart/form-data"])
def test_a_broken_form_reaches_django(kind: str) -> None:
    seen = []
    server = SimpleNamespace(protocol_connected=lambda _: None)
    channel = _protocol_factory()(server=server).buildProtocol(None)
    channel.requestFactory.process = lambda request: seen.append(request.content.read())
    channel.makeConnection(StringTransport())

    head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\n"
    channel.dataReceived(head.encode() + b"{}")

    assert seen == [b"{}"]


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1013, 4001])
def test_sockets_close_with_every_code_of_the_contract(code: int) -> None:
    protocol = _socket_factory().protocol()  # type: ignore[attr-defined]
    protocol.state, protocol.closeHandshakeTimeout = protocol.STATE_OPEN, 0
    sent: list[tuple[int, bytes]] = []
    protocol.sendFrame = lambda opcode, payload: sent.append((opcode, payload))

    protocol.serverClose(code)

    assert sent == [(8, code.to_bytes(2, "big"))]
