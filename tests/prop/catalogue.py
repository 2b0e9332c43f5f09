"""Groups, programs and their steps for tests, as a firm would set them up."""

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from prop.models import AccountGroup, AccountMode, PhaseType, Program, Step

NOW = datetime(2027, 1, 5, 10, 0, 2, tzinfo=UTC)
_numbers = itertools.count(1)


def make_group(
    name: str = "EVAL_USD", *, deposit: str = "10000", mode: int = AccountMode.DEMO, **fields: Any
) -> AccountGroup:
    """An enabled account group in dollars, made once per building."""
    values = {"account_mode": mode, "currency": "USD", "default_deposit": Decimal(deposit)}
    group, _ = AccountGroup.objects.get_or_create(group=name, defaults={**values, **fields})
    return group


def make_program(
    *, evaluation: dict[str, Any] | None = None, funded: dict[str, Any] | None = None, **fields: Any
) -> Program:
    """The contract's "Starter 10K": one evaluation phase, then a funded account."""
    values = {
        "name": f"Starter 10K ({next(_numbers)})",
        "description": "One evaluation phase, then a funded account.",
        "price": Decimal("99"),
        "price_currency": "USD",
        "sort_index": 10,
        "created_at": NOW,
        "updated_at": NOW,
        **fields,
    }
    program = Program.objects.create(**values)
    first = {
        "name": "Evaluation",
        "account_group": make_group(),
        "duration_days": 30,
        "max_daily_loss_pct": 5,
        "max_total_loss_pct": 10,
        "profit_target_pct": 8,
        "min_trading_days": 3,
        "max_trading_days": 20,
        "max_positions": 5,
        **(evaluation or {}),
    }
    last = {
        "name": "Funded",
        "phase_type": PhaseType.FUNDED,
        "account_group": make_group("FUNDED_USD", mode=AccountMode.REAL),
        "duration_days": 30,
        "max_daily_loss_pct": 5,
        "max_total_loss_pct": 10,
        "max_daily_profit_pct": 5,
        "profit_split": Decimal("0.75"),
        "max_positions": 10,
        **(funded or {}),
    }
    for index, step in enumerate((first, last), start=1):
        Step.objects.create(
            program=program, phase_index=index, created_at=NOW, updated_at=NOW, **step
        )
    return Program.objects.get(pk=program.pk)
