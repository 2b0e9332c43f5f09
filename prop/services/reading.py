"""Reading the fields of staff's input, strictly: every wrong one is named by its path.

JSON numbers arrive as int and Decimal; a text or a truth value is no number here.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from prop.errors import InvalidData, InvalidParams

INTEGER_MAX = 2**31 - 1
# Money columns have twelve digits before the point.
MONEY_MAX = Decimal("999999999999.99")
CURRENCY = re.compile(r"[A-Z]{3,5}")
_DIGITS_MAX = 40


class Fields:
    """One object of the input; `take_*` read a member, missing ones give the default.

    Errors gather in `wrong` and `missing`, shared with the objects inside; `check` raises them.
    """

    def __init__(self, data: Mapping[str, Any], *, parent: "Fields | None" = None, path: str = ""):
        self.data = data
        self.path = path
        self.wrong: dict[str, str] = {} if parent is None else parent.wrong
        self.missing: dict[str, str] = {} if parent is None else parent.missing

    def inside(self, data: Any, path: str) -> "Fields":
        """The reader of an object inside; anything but an object is an error."""
        if isinstance(data, Mapping):
            return Fields(data, parent=self, path=f"{path}.")
        self.refuse(path, "must be an object")
        # Its members are not missing: the object itself is.
        return Fields({}, parent=Fields({}), path=f"{path}.")

    def refuse(self, name: str, text: str) -> None:
        """Note what is wrong with a member; the first text stays."""
        self.wrong.setdefault(f"{self.path}{name}", text)

    def require(self, *names: str) -> None:
        """Note which members are missing; null counts as missing."""
        for name in names:
            if self.data.get(name) is None:
                self.missing[f"{self.path}{name}"] = "is required"

    def check(self) -> None:
        """Raise InvalidParams for missing members, InvalidData for wrong ones."""
        if self.missing:
            names = ", ".join(sorted(self.missing))
            raise InvalidParams(f"Missing: {names}.", fields=self.missing)
        if self.wrong:
            raise InvalidData(self.wrong)

    def has(self, name: str) -> bool:
        """Whether the member was sent."""
        return name in self.data

    def take_text(
        self,
        name: str,
        *,
        most: int,
        least: int = 0,
        default: str = "",
        pattern: re.Pattern[str] | None = None,
        rule: str = "",
    ) -> str:
        """A text of `least` to `most` characters, trimmed, that matches `pattern` as a whole."""
        value = self.data.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self.refuse(name, "must be a text")
            return default
        value = value.strip()
        if not least <= len(value) <= most:
            self.refuse(name, f"must have {least} to {most} characters")
        elif pattern is not None and not pattern.fullmatch(value):
            self.refuse(name, rule or "has a wrong form")
        return value

    def take_choice(self, name: str, allowed: Sequence[str], *, default: str) -> str:
        """One of a few words."""
        value = self.data.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in allowed:
            self.refuse(name, f"must be one of {', '.join(allowed)}")
            return default
        return value

    def take_whole(
        self, name: str, *, least: int = 0, most: int = INTEGER_MAX, default: int = 0
    ) -> int:
        """A whole number within its bounds."""
        value = self.data.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(name, "must be a whole number")
            return default
        if not least <= value <= most:
            self.refuse(name, f"must be between {least} and {most}")
            return default
        return value

    def take_flag(self, name: str, *, default: bool) -> bool:
        """0 or 1; true and false are taken too."""
        value = self.data.get(name)
        if value is None:
            return default
        if not isinstance(value, int) or value not in (0, 1):
            self.refuse(name, "must be 0 or 1")
            return default
        return bool(value)

    def take_number(
        self,
        name: str,
        *,
        least: Decimal | int = 0,
        most: Decimal | int,
        places: int,
        default: Decimal = Decimal(0),
    ) -> Decimal:
        """A number within its bounds with at most `places` decimal places."""
        value = self.data.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.refuse(name, "must be a number")
            return default
        number = Decimal(value)
        is_sane = number.is_finite() and abs(number.adjusted()) <= _DIGITS_MAX
        if not is_sane or not least <= number <= most:
            self.refuse(name, f"must be between {least} and {most}")
        elif has_more_places(number, places):
            self.refuse(name, f"must have at most {places} decimal places")
        else:
            return number
        return default

    def take_money(self, name: str, *, default: Decimal = Decimal(0)) -> Decimal:
        """Dollars of 0 and more in whole cents, as the ledger books nothing finer."""
        return self.take_number(name, most=MONEY_MAX, places=2, default=default)


def has_more_places(number: Decimal, places: int) -> bool:
    """Whether a finite number needs more decimal places than `places`."""
    _, digits, exponent = number.as_tuple()
    if not any(digits) or not isinstance(exponent, int):
        return False
    zeros = next(count for count, digit in enumerate(reversed(digits)) if digit)
    return -exponent - zeros > places
