"""The web process: one port; pages and APIs in threads (WSGI), sockets and streams in the loop.

Django's synchronous views are several times faster behind the WSGI handler than behind the ASGI
one, so only the paths of `STREAMING_PATHS` and websockets reach the ASGI application.
"""

import argparse
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

STREAMING_PATHS = ("/v1/ws/", "/ws/", "/prices/stream")
KEY_HEADER = b"X-API-Key"
# py-clob-client sends its key only under this name, which servers drop for its underscores.
KEY_HEADER_ALIAS = b"POLY_API_KEY"
BODY_BYTES_MAX = 10_000_000


def split_by_path(pages: Application, streams: Application) -> Application:
    """One ASGI application: websockets and streaming paths to `streams`, the rest to `pages`."""

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        streaming = scope["type"] == "websocket" or scope["path"].startswith(STREAMING_PATHS)
        await (streams if streaming else pages)(scope, receive, send)

    return application


def build_application(*, threads: int) -> Application:
    """Django behind one ASGI callable, with `threads` threads for pages and APIs."""
    from a2wsgi import WSGIMiddleware

    from polysim.asgi import application as streams
    from polysim.wsgi import application as pages

    threaded: Any = WSGIMiddleware(pages, workers=threads)  # type: ignore[arg-type]
    return split_by_path(threaded, streams)


def serve(*, host: str, port: int, threads: int) -> None:
    """Listen until a signal to end arrives."""
    # daphne's server is imported first: it has to choose Twisted's reactor before others do.
    import daphne.server

    daphne.server.HTTPFactory = _protocol_factory()
    daphne.server.WebSocketFactory = _socket_factory()
    application = build_application(threads=threads)
    daphne.server.Server(
        application=application,
        endpoints=[f"tcp:port={port}:interface={host}"],
        server_name="polysim",
        websocket_timeout=-1,
        # A ping after 20 s of silence, and 40 s for its answer (trading-api 10).
        ping_interval=20,
        ping_timeout=40,
        application_close_timeout=3,
    ).run()


def _protocol_factory() -> type:
    """Daphne's protocol factory, making requests that know the key's alias and a size limit."""
    from daphne.http_protocol import HTTPFactory, WebRequest

    class Request(WebRequest):  # type: ignore[misc]
        """Lets the alias of the key header through; a body that is too large is not kept."""

        _body_bytes = 0

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            # Twisted would read forms in the event loop, and refuse broken ones without our answer.
            self._parsePOSTFormSubmission = False

        def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
            self._body_bytes += len(data)
            if self._body_bytes <= BODY_BYTES_MAX:
                super().handleContentChunk(data)

        def process(self) -> Any:
            if self._body_bytes > BODY_BYTES_MAX:
                self.basic_error(413, b"Content Too Large", "The body is too large.")
                return None
            headers = self.requestHeaders
            if headers.hasHeader(KEY_HEADER_ALIAS) and not headers.hasHeader(KEY_HEADER):
                headers.setRawHeaders(KEY_HEADER, headers.getRawHeaders(KEY_HEADER_ALIAS))
            return super().process()

    class Factory(HTTPFactory):  # type: ignore[misc]
        def buildProtocol(self, addr: Any) -> Any:  # noqa: N802 - Twisted's name
            protocol = super().buildProtocol(addr)
            protocol.requestFactory = Request
            return protocol

    return Factory


def _socket_factory() -> type:
    """Daphne's websocket factory, making sockets that close with the contract's codes."""
    from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol

    class Protocol(WebSocketProtocol):  # type: ignore[misc]
        """Autobahn's own close refuses 1001, 1008 and 1013 (trading-api 10)."""

        def serverClose(self, code: int | None = None) -> None:  # noqa: N802 - Daphne's name
            self.sendCloseFrame(code=1000 if code is None else code)

    class Factory(WebSocketFactory):  # type: ignore[misc]
        protocol = Protocol

    return Factory


def main() -> None:
    """Command line: `python -m polysim.serving --port 8000`."""
    parser = argparse.ArgumentParser(prog="polysim.serving", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--threads", type=int, default=8, help="threads for pages and APIs")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "polysim.settings")
    serve(host=options.host, port=options.port, threads=options.threads)


if __name__ == "__main__":
    main()
