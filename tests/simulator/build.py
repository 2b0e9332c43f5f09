"""Programs and hand-made worlds for the simulator."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from polysim.kernel.money import SCALE
from prop.simulator import DEFAULT_MIX, Plan, World, demo_world, make_report, simulate


def step(index: int, **fields: Any) -> dict[str, Any]:
    """One phase as `copy_terms` writes it: 10,000 dollars and no rule at all."""
    return {
        "phase_index": index,
        "phase_type": 0,
        "name": f"Phase {index}",
        "maxpositions": 0,
        "initial_balance": "10000",
        **fields,
    }


EVALUATION = step(
    1,
    duration_days=30,
    max_daily_loss_pct="5",
    max_total_loss_pct="10",
    profit_target_pct="8",
    min_trading_days=3,
)
FUNDED = step(2, phase_type=1, name="Funded", max_total_loss_pct="10", profit_split="0.8")


def terms(*steps: dict[str, Any], **program: Any) -> dict[str, Any]:
    """Copied terms of a program of 299 dollars in New York."""
    settings = {
        "timezone": "America/New_York",
        "trading_days_mode": "fills",
        "price": "299",
        "price_currency": "USD",
        **program,
    }
    return {"program": settings, "steps": list(steps)}


def plan(
    *steps: dict[str, Any],
    traders: int = 40,
    days: int = 10,
    seed: int = 7,
    mix: Mapping[str, int] = DEFAULT_MIX,
    **program: Any,
) -> Plan:
    return Plan.of(
        terms(*(steps or (EVALUATION, FUNDED)), **program),
        traders=traders,
        days=days,
        seed=seed,
        mix=mix,
    )


def world_of(of: Plan) -> World:
    """Made-up prices at forty places, made once per seed and length."""
    return _demo(of.seed, of.steps)


@cache
def _demo(seed: int, steps: int) -> World:
    return demo_world(seed=seed, steps=steps, places=40)


def report_of(of: Plan, world: World | None = None, *, block: int = 500) -> dict[str, Any]:
    world = world or world_of(of)
    results = simulate(of, world, block=block)
    return make_report(of, world, results, fee=299 * SCALE, currency="USD", paths="demo")


def flat_world(
    *, price: int, steps: int, ends_at: int, payout: int, fee_rate: int = 40_000
) -> World:
    """One market at one price, two cents wide and deep, that pays at a step; then another."""
    shape = (1, steps)
    before = np.arange(steps) < ends_at
    return World(
        bid=np.full(shape, price - 10_000, dtype=np.int64),
        ask=np.full(shape, price + 10_000, dtype=np.int64),
        depth=np.full(shape, 100_000 * SCALE, dtype=np.int64),
        begins=np.where(before, 0, ends_at)[None, :],
        ends=np.where(before, ends_at, steps)[None, :],
        fee_rate=np.full(shape, fee_rate, dtype=np.int64),
        endings={ends_at: [(0, payout)]},
        markets=2,
    )
