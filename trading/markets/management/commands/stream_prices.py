"""`manage.py stream_prices`: keeps live books and publishes ticks until it is told to end."""

import asyncio
import logging
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from trading.markets.feed.service import Feed

logger = logging.getLogger(__name__)

END_TRIES = 3
END_TRY_S = 3.0


class Command(BaseCommand):
    """The feed's process. A second one waits for the first one's lease."""

    # Checks load every page and API of the project, which this process never serves.
    requires_system_checks: list[str] = []
    help = "Read the venue's books, write them to Valkey, publish ticks, store history."

    def handle(self, *args: Any, **options: Any) -> None:
        mode = settings.POLYMARKET_FEED_MODE
        asyncio.run(run_until_signal(mode))


async def run_until_signal(mode: str) -> None:
    """Run the feed; SIGTERM and SIGINT end it with its history stored and its lease released."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    if mode == "off":
        logger.info("the feed is off")
        await ended.wait()
        return
    feed = asyncio.create_task(Feed(mode=mode).run())
    ending = asyncio.create_task(ended.wait())
    done, _ = await asyncio.wait({feed, ending}, return_when=asyncio.FIRST_COMPLETED)
    ending.cancel()
    for _ in range(END_TRIES):
        if feed.done():
            break
        feed.cancel()
        await asyncio.wait({feed}, timeout=END_TRY_S)
    if feed in done:
        feed.result()
