"""`/v1/ws/executions`: every fill, order and settlement of the user (trading-api 10.2)."""

from typing import Any

from trading.consumers.prices import ApiSocket
from trading.hub import user_topic


class ExecutionsSocket(ApiSocket):
    """Needs no subscription. Frames carry the user's own `seq`; none is ever dropped."""

    async def greet(self) -> None:
        assert self.mailbox is not None
        self.hub.subscribe(self.mailbox, user_topic(self.identity.user_id))
        await super().greet()

    async def answer(self, message: dict[str, Any]) -> None:
        action = message.get("action", message.get("type"))
        if action == "ping":
            await self.answer_ping()
        elif action in ("subscribe", "unsubscribe"):
            await self.send_frame({"type": "subscribed", "markets": []})
        else:
            await self.send_error("Unknown action; known is ping.")
