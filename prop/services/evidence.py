"""The inputs of a verdict as JSON, their hash, and the verdict computed again from them.

Everything a verdict rests on stands in the inputs: terms, measures, cash, holdings and marks with
their times. Money, shares and marks are integers scaled by 10**6, times are Unix seconds.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from prop.rules import Measures, Terms, Verdict, evaluate
from trading.engine.valuation import equity

INPUTS_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A holding at the deciding moment; without a mark it counts at its cost.

    `marked_at` is the time of the mark, 0 without one.
    """

    condition_id: str
    outcome_index: int
    quantity: int
    cost: int
    mark: int | None
    marked_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one phase is judged by."""

    terms: Terms
    measures: Measures
    cash: int
    positions: tuple[Held, ...] = ()
    stale_after_s: int = 300
    # "staff" when staff closed a funded phase: then no rule decided.
    ended_by: str = ""


def write_inputs(evidence: Evidence) -> dict[str, Any]:
    """The evidence as a JSON object."""
    return {
        "version": INPUTS_VERSION,
        "terms": evidence.terms.as_data(),
        "measures": asdict(evidence.measures),
        "cash": evidence.cash,
        "positions": [asdict(position) for position in evidence.positions],
        "stale_after_s": evidence.stale_after_s,
        "ended_by": evidence.ended_by,
    }


def hash_of_inputs(inputs: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(inputs, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_inputs(inputs: Mapping[str, Any]) -> Evidence:
    """The evidence back from its JSON; raises ValueError, KeyError or TypeError for other data."""
    if inputs["version"] != INPUTS_VERSION:
        raise ValueError(f"Inputs of version {inputs['version']} are not known here.")
    known = {field.name for field in fields(Measures)}
    measures = {name: value for name, value in inputs["measures"].items() if name in known}
    measures["day_results"] = tuple(measures["day_results"])
    return Evidence(
        terms=Terms.from_data(inputs["terms"]),
        measures=Measures(**measures),
        cash=inputs["cash"],
        positions=tuple(Held(**position) for position in inputs["positions"]),
        stale_after_s=inputs["stale_after_s"],
        ended_by=inputs["ended_by"],
    )


def judge(evidence: Evidence) -> Verdict:
    """The verdict of the rules on this evidence."""
    return evaluate(evidence.terms, evidence.measures)


def contradictions(evidence: Evidence) -> Sequence[str]:
    """Where the measures do not follow from cash, holdings and marks; empty when they do."""
    measures, positions = evidence.measures, evidence.positions
    worth = equity(evidence.cash, 0, [(held.quantity, held.mark, held.cost) for held in positions])
    cost = sum(held.cost for held in positions)
    oldest = measures.at - evidence.stale_after_s
    is_stale = any(held.mark is None or held.marked_at < oldest for held in positions)
    expected = {
        "equity": worth,
        "balance": evidence.cash + cost,
        "open_positions": len(positions),
        "is_price_stale": is_stale,
    }
    return [
        f"{name} is {getattr(measures, name)}, by cash, holdings and marks it is {value}"
        for name, value in expected.items()
        if getattr(measures, name) != value
    ]
