"""The two programs that every demo firm sells, and the groups of their accounts."""

from decimal import Decimal
from typing import Any

PAYER_GROUP = "PAYER_USD"

GROUPS: tuple[dict[str, Any], ...] = (
    {
        "group": PAYER_GROUP,
        "currency": "USD",
        "enable": 1,
        "default_deposit": 1000,
        "account_mode": 1,
        "public_opening": 1,
        "grp_index": 1,
    },
    {"group": "EVAL_10K", "currency": "USD", "enable": 1, "default_deposit": 10_000},
    {"group": "EVAL_50K", "currency": "USD", "enable": 1, "default_deposit": 50_000},
    {
        "group": "FUNDED_10K",
        "currency": "USD",
        "enable": 1,
        "default_deposit": 10_000,
        "account_mode": 1,
    },
    {
        "group": "FUNDED_50K",
        "currency": "USD",
        "enable": 1,
        "default_deposit": 50_000,
        "account_mode": 1,
    },
)

STARTER: dict[str, Any] = {
    "brand": "default",
    "name": "Starter 10K",
    "description": "One evaluation phase, then a funded account.",
    "price": 99,
    "price_currency": "USD",
    "sort_index": 10,
    "steps": [
        {
            "phase_index": 1,
            "name": "Evaluation",
            "account_group": "EVAL_10K",
            "duration_days": 30,
            "max_daily_loss_pct": 5,
            "max_total_loss_pct": 10,
            "profit_target_pct": 8,
            "min_trading_days": 3,
            "max_positions": 10,
        },
        {
            "phase_index": 2,
            "phase_type": 1,
            "name": "Funded",
            "account_group": "FUNDED_10K",
            "duration_days": 30,
            "max_daily_loss_pct": 5,
            "max_total_loss_pct": 10,
            "profit_split": Decimal("0.8"),
            "max_positions": 10,
        },
    ],
}

TWO_STEP: dict[str, Any] = {
    "brand": "default",
    "name": "Two-Step 50K",
    "description": (
        "Two evaluation phases with a trailing floor and a consistency rule, then a funded "
        "account. Payouts are approved by the firm."
    ),
    "price": 299,
    "price_currency": "USD",
    "sort_index": 20,
    "payout_mode": "approval",
    "steps": [
        {
            "phase_index": 1,
            "name": "Evaluation",
            "account_group": "EVAL_50K",
            "duration_days": 60,
            "max_daily_loss_pct": 5,
            "max_total_loss_pct": 10,
            "profit_target_pct": 8,
            "min_trading_days": 5,
            "max_positions": 15,
            "drawdown_mode": "trailing_locked",
            "consistency_pct": 50,
        },
        {
            "phase_index": 2,
            "name": "Verification",
            "account_group": "EVAL_50K",
            "duration_days": 60,
            "max_daily_loss_pct": 5,
            "max_total_loss_pct": 10,
            "profit_target_pct": 5,
            "min_trading_days": 5,
            "max_positions": 15,
        },
        {
            "phase_index": 3,
            "phase_type": 1,
            "name": "Funded",
            "account_group": "FUNDED_50K",
            "max_daily_loss_pct": 5,
            "max_total_loss_pct": 10,
            "profit_split": Decimal("0.8"),
            "max_positions": 15,
        },
    ],
}
PROGRAMS = (STARTER, TWO_STEP)
