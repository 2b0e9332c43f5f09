"""One port: sockets and streams to the loop, everything else to the threads."""

import pytest

from polysim.serving import Message, Receive, Send, _protocol_factory, split_by_path


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


def test_forms_are_left_to_django() -> None:
    # Twisted reads them in the event loop, and answers broken ones without the API's error body.
    protocol = _protocol_factory()(server=None).buildProtocol(None)

    assert protocol.requestFactory._parsePOSTFormSubmission is False
