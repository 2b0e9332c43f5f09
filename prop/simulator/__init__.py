"""The program simulator: made-up traders under a program's terms, before it is sold.

Orders go through `trading.engine` (matching, fees, valuation), every reading through `prop.rules`;
prices come from a seeded world (`paths`), made up or recorded. All chance is drawn from the seed,
so a run can be repeated to the last cent. No Django, clock or network. Money, prices and shares
are integers scaled by 10**6, times are Unix seconds, one step of the world is one hour.
"""

from .behaviours import BEHAVIOURS, DEFAULT_MIX, Behaviour
from .charts import draw_money, draw_pass_rates, draw_samples
from .outcomes import PhaseResult, TraderResult
from .paths import Recording, World, demo_world, recorded_world
from .plan import Plan
from .report import make_report
from .run import simulate, simulate_block
from .wording import report_text

__all__ = [
    "BEHAVIOURS",
    "DEFAULT_MIX",
    "Behaviour",
    "PhaseResult",
    "Plan",
    "Recording",
    "TraderResult",
    "World",
    "demo_world",
    "draw_money",
    "draw_pass_rates",
    "draw_samples",
    "make_report",
    "recorded_world",
    "report_text",
    "simulate",
    "simulate_block",
]
