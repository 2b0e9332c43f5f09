"""What is simulated: the phases of a program's terms, the traders and the seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, tzinfo
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from polysim.kernel.money import SCALE, parse_decimal, to_scaled
from prop.rules import Terms
from prop.rules.days import start_of_date
from prop.rules.exact import FAR, share_up

from .behaviours import BEHAVIOURS
from .paths import STEPS_PER_DAY

# The first simulated day: a Monday in winter, the same for all runs.
FIRST_DATE = date(2026, 1, 5)
# The exchange's guard against prices far from the displayed one (trading-api 7.4).
PRICE_BAND = 150_000
# The profit (percent, scaled) that careful traders are content with in a funded phase.
OWN_GOAL = 5 * SCALE


@dataclass(frozen=True, slots=True)
class PhasePlan:
    """One phase: its terms, and what the account's group adds."""

    phase_index: int
    name: str
    terms: Terms
    positions_max: int
    target_equity: int

    @classmethod
    def of(cls, step: Mapping[str, Any], settings: Mapping[str, Any]) -> "PhasePlan":
        """A step of the copied terms with the program's settings."""
        terms = Terms.from_data({**step, "trading_days_mode": settings["trading_days_mode"]})
        start, target = terms.scaled.start, terms.scaled.target
        return cls(
            phase_index=int(step["phase_index"]),
            name=str(step["name"]),
            terms=terms,
            positions_max=int(step["maxpositions"]),
            target_equity=start + share_up(start, target or (OWN_GOAL if terms.is_funded else FAR)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A run: everything its result depends on, besides the world's prices."""

    phases: tuple[PhasePlan, ...]
    zone: tzinfo
    traders: int
    days: int
    seed: int
    behaviours: tuple[str, ...]
    price_band: int = PRICE_BAND

    @classmethod
    def of(
        cls,
        terms: Mapping[str, Any],
        *,
        traders: int,
        days: int,
        seed: int,
        mix: Mapping[str, int],
        price_band: int = PRICE_BAND,
    ) -> "Plan":
        """A plan over copied terms (`copy_terms`); `mix` gives each behaviour's weight.

        Raises ValueError for terms without steps, or a mix that is none.
        """
        program = terms["program"]
        steps = sorted(terms["steps"], key=lambda step: step["phase_index"])
        if not steps:
            raise ValueError("A program without steps cannot be simulated")
        return cls(
            phases=tuple(PhasePlan.of(step, program) for step in steps),
            zone=ZoneInfo(program["timezone"]),
            traders=traders,
            days=days,
            seed=seed,
            behaviours=spread_behaviours(mix, traders),
            price_band=price_band,
        )

    @property
    def steps(self) -> int:
        """Hours to simulate."""
        return self.days * STEPS_PER_DAY

    @property
    def start_time(self) -> int:
        """The first moment, in the program's zone."""
        return start_of_date(FIRST_DATE, self.zone)


def spread_behaviours(mix: Mapping[str, int], traders: int) -> tuple[str, ...]:
    """The behaviour of each trader: shares of the mix by largest remainder, evenly interleaved."""
    weights = {name: weight for name, weight in mix.items() if weight}
    if not weights or any(weight < 0 for weight in weights.values()):
        raise ValueError("The mix needs at least one behaviour with a positive weight")
    for name in weights:
        if name not in BEHAVIOURS:
            raise ValueError(f"There is no behaviour {name}")
    whole = sum(weights.values())
    names = sorted(weights)
    counts = {name: weights[name] * traders // whole for name in names}
    by_rest = sorted(names, key=lambda name: (-(weights[name] * traders % whole), name))
    for name in by_rest[: traders - sum(counts.values())]:
        counts[name] += 1
    places = [
        (Fraction(2 * number + 1, 2 * counts[name]), name)
        for name in names
        for number in range(counts[name])
    ]
    return tuple(name for _, name in sorted(places))


def fee_of(terms: Mapping[str, Any]) -> int:
    """The program's price, scaled."""
    price: int = to_scaled(parse_decimal(terms["program"]["price"]))
    return price


def dollars_of(scaled: int) -> str:
    """Scaled money as text with cents."""
    sign = "-" if scaled < 0 else ""
    whole, part = divmod(abs(scaled), SCALE)
    return f"{sign}{whole}.{part // 10_000:02d}"
