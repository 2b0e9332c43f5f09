"""What open sockets renew while they live: their place and their markets' interest.

One small task per process serves all sockets in one pipeline each 20 s, instead of a timer each.
"""

import asyncio
import logging
from collections.abc import Callable

import redis
import redis.asyncio

from trading.consumers.limits import REFRESH_S, Place
from trading.consumers.snapshots import note_interest

logger = logging.getLogger(__name__)


class Upkeep:
    """Renews one socket's place and interest until it is stopped."""

    _members: dict[int, set["Upkeep"]] = {}
    _tasks: dict[int, asyncio.Task[None]] = {}

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        place: Place | None,
        watched_markets: Callable[[], list[str]],
    ) -> None:
        self._client = client
        self._place = place
        self._watched_markets = watched_markets
        loop = asyncio.get_running_loop()
        self._loop_id = id(loop)
        self._members.setdefault(self._loop_id, set()).add(self)
        task = self._tasks.get(self._loop_id)
        if task is None or task.done():
            self._tasks[self._loop_id] = loop.create_task(self._serve(self._loop_id))

    def stop(self) -> None:
        """The socket closed."""
        self._members.get(self._loop_id, set()).discard(self)

    @classmethod
    async def _serve(cls, loop_id: int) -> None:
        while cls._members.get(loop_id):
            await asyncio.sleep(REFRESH_S)
            members = list(cls._members.get(loop_id, ()))
            try:
                await cls._renew(members)
            except (redis.RedisError, OSError) as error:
                logger.warning("interest of sockets could not be renewed: %s", error)

    @staticmethod
    async def _renew(members: list["Upkeep"]) -> None:
        watched: set[str] = set()
        for member in members:
            if member._place is not None:
                await member._place.refresh()
            watched.update(member._watched_markets())
        if members and watched:
            await note_interest(members[0]._client, watched)
