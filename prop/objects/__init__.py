"""The contract's JSON objects, made from rows: numbers as JSON numbers, times as Unix seconds.

Plural functions ask for the account ids of all rows in one query; use them for lists.
"""

from prop.objects.challenges import (
    breach_object,
    challenge_object,
    challenge_objects,
    metric_object,
    phase_object,
    phase_objects,
    snapshot_object,
)
from prop.objects.programs import (
    group_object,
    list_steps,
    program_object,
    shop_program_object,
    step_object,
    terms_program_object,
)
from prop.objects.purchases import purchase_object, purchase_objects
from prop.objects.values import money_number, percent_number, time_number
from prop.objects.work import (
    event_object,
    job_object,
    payout_object,
    payout_objects,
    trader_payout_object,
)

__all__ = [
    "breach_object",
    "challenge_object",
    "challenge_objects",
    "event_object",
    "group_object",
    "job_object",
    "list_steps",
    "metric_object",
    "money_number",
    "payout_object",
    "payout_objects",
    "percent_number",
    "phase_object",
    "phase_objects",
    "program_object",
    "purchase_object",
    "purchase_objects",
    "shop_program_object",
    "snapshot_object",
    "step_object",
    "terms_program_object",
    "time_number",
    "trader_payout_object",
]
