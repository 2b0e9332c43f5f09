"""What a command of the manager door is, and what it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prop.services.reading import Fields
from tenants.office.services import Actor

ID_MAX = 2**63 - 1

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a command: what was sent, by whom, when."""

    data: Mapping[str, Any]
    actor: Actor
    now: datetime

    @property
    def by(self) -> dict[str, Any]:
        """What every writing service takes."""
        return {"actor": self.actor, "now": self.now}

    def take_id(self, name: str = "id") -> int:
        """The id that the command needs. Raises InvalidParams, InvalidData."""
        fields = Fields(self.data)
        fields.require(name)
        found = fields.take_whole(name, least=1, most=ID_MAX)
        fields.check()
        return found

    def take_name(self) -> str:
        """The name of the group that the command needs."""
        fields = Fields(self.data)
        fields.require("group")
        name = fields.take_text("group", least=1, most=64)
        fields.check()
        return name

    @property
    def changes(self) -> dict[str, Any]:
        """What was sent beside the id."""
        return {name: value for name, value in self.data.items() if name != "id"}


@dataclass(frozen=True, slots=True)
class Command:
    """`right` is a name of `tenants.office.rights`."""

    right: str
    run: Callable[[Call], Answer]
