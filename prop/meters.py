"""The rules of a phase as meters: how much is used, what is left, at which equity it ends.

Pure. The figures are those of `prop.rules`; only the words are made here (ui.md, Challenge page).
Loss meters are OK to 60 %, Close from 60 %, Critical from 80 %.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from polysim.kernel.money import from_scaled
from prop.rules import RULES_BY_NAME, Measures, Terms, progress
from prop.rules.words import count_words, money_words, percent_words

CLOSE_FROM, CRITICAL_FROM = Decimal(60), Decimal(80)
HUNDRED = Decimal(100)
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Meter:
    """One rule as a bar. `percent` is 0..100; `style` is ok, close, crit, broken or goal."""

    key: str
    title: str
    style: str
    word: str
    percent: Decimal
    used: str
    left: str
    more: str
    formula: str
    is_limit: bool
    is_daily: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where the meters are read: the program's zone, the next local midnight."""

    at: int
    next_reset_time: int
    zone: ZoneInfo


def read_meters(terms: Terms, measures: Measures, moment: Moment) -> tuple[Meter, ...]:
    """The configured rules in the order of the page: limits by how close they are, then goals."""
    figures = progress(terms, measures, next_reset_time=moment.next_reset_time, at=moment.at)
    made = [make(terms, measures, figures, moment) for make in _MAKERS]
    meters = [meter for meter in made if meter is not None]
    limits = sorted((one for one in meters if one.is_limit), key=lambda one: -one.percent)
    return (*limits, *(one for one in meters if not one.is_limit))


def tightest(meters: tuple[Meter, ...], *, count: int = 2) -> tuple[Meter, ...]:
    """The limits of which least is left, for the account bar."""
    return tuple(meter for meter in meters if meter.is_limit)[:count]


Figures = dict[str, Decimal | int | None]
Maker = Callable[[Terms, Measures, Figures, Moment], Meter | None]


def _style(percent: Decimal, *, is_broken: bool) -> tuple[str, str]:
    if is_broken:
        return "broken", "Breached"
    if percent >= CRITICAL_FROM:
        return "crit", "Critical"
    return ("close", "Close") if percent >= CLOSE_FROM else ("ok", "OK")


def _part(value: Decimal, whole: Decimal) -> Decimal:
    if whole <= 0:
        return HUNDRED
    return max(ZERO, min(HUNDRED, value * 100 / whole))


def _limit_meter(
    name: str,
    terms: Terms,
    measures: Measures,
    *,
    used: Decimal,
    whole: Decimal,
    used_words: str,
    left_words: str,
    more: str,
    is_daily: bool = False,
) -> Meter:
    rule = RULES_BY_NAME[name]
    percent = _part(used, whole)
    style, word = _style(percent, is_broken=rule.fires(terms, measures))
    return Meter(
        name, rule.title, style, word, percent, used_words, left_words, more, rule.formula,
        is_limit=True, is_daily=is_daily,
    )  # fmt: skip


def _reset_words(moment: Moment) -> str:
    local = datetime.fromtimestamp(moment.next_reset_time, UTC).astimezone(moment.zone)
    left_s = max(0, moment.next_reset_time - moment.at)
    hours, minutes = left_s // 3600, left_s % 3600 // 60
    return f"resets {local:%H:%M} {local:%Z}, in {hours} h {minutes} min"


def _total_loss(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    floor = figures["total_loss_floor"]
    if floor is None:
        return None
    basis = RULES_BY_NAME["max_total_loss_pct"].basis(t, m)
    equity = from_scaled(m.equity)
    whole, used = basis - Decimal(floor), max(ZERO, basis - equity)
    return _limit_meter(
        "max_total_loss_pct", t, m, used=used, whole=whole,
        used_words=f"used {money_words(used)} of {money_words(whole)}",
        left_words=f"{money_words(max(ZERO, equity - Decimal(floor)))} left",
        more=f"Breaks at equity {money_words(Decimal(floor))}. Open positions count.",
    )  # fmt: skip


def _daily_loss(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    floor = figures["daily_loss_floor"]
    if floor is None:
        return None
    equity, day = from_scaled(m.equity), from_scaled(m.day_start_equity)
    whole = max(ZERO, RULES_BY_NAME["max_daily_loss_pct"].basis(t, m) * t.max_daily_loss_pct / 100)
    used = max(ZERO, whole - max(ZERO, equity - Decimal(floor)))
    return _limit_meter(
        "max_daily_loss_pct", t, m, used=used, whole=whole,
        used_words=f"used {money_words(used)} of {money_words(whole)}",
        left_words=f"{money_words(max(ZERO, equity - Decimal(floor)))} left",
        more=(
            f"Breaks at equity {money_words(Decimal(floor))}. Base {money_words(day)}, "
            f"{_reset_words(moment)}."
        ),
        is_daily=True,
    )  # fmt: skip


def _daily_profit(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    if t.max_daily_profit_pct <= 0:
        return None
    basis = RULES_BY_NAME["max_daily_profit_pct"].basis(t, m)
    whole = basis * t.max_daily_profit_pct / 100
    used = Decimal(figures["daily_profit_pct"] or 0) * basis / 100
    return _limit_meter(
        "max_daily_profit_pct", t, m, used=used, whole=whole,
        used_words=f"gained {money_words(used)} of {money_words(whole)}",
        left_words=f"{money_words(max(ZERO, whole - used))} left",
        more=f"Gaining {percent_words(t.max_daily_profit_pct)} in a day ends the phase; "
        f"{_reset_words(moment)}.",
        is_daily=True,
    )  # fmt: skip


def _positions(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    if not t.max_positions:
        return None
    return _limit_meter(
        "max_positions", t, m, used=Decimal(m.open_positions), whole=Decimal(t.max_positions),
        used_words=f"{m.open_positions} of {t.max_positions}",
        left_words=f"{max(0, t.max_positions - m.open_positions)} left",
        more="A new outcome counts, adding to an open one does not.",
    )  # fmt: skip


def _exposure(name: str, held: Callable[[Measures], int], place: str) -> Maker:
    def make(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
        limit = RULES_BY_NAME[name].limit(t)
        if limit <= 0:
            return None
        whole, used = t.initial_balance * limit / 100, from_scaled(held(m))
        return _limit_meter(
            name, t, m, used=used, whole=whole,
            used_words=f"{money_words(used)} of {money_words(whole)}",
            left_words=f"{money_words(max(ZERO, whole - used))} left",
            more=f"What the shares held in one {place} cost.",
        )  # fmt: skip

    return make


def _goal_meter(
    name: str, *, done: Decimal, whole: Decimal, word: str, used: str, left: str, more: str
) -> Meter:
    rule = RULES_BY_NAME[name]
    percent = _part(max(ZERO, done), whole)
    return Meter(
        name, rule.title, "goal", word, percent, used, left, more, rule.formula, is_limit=False
    )


def _target(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    if t.profit_target_pct <= 0:
        return None
    whole = t.initial_balance * t.profit_target_pct / 100
    gained = from_scaled(m.equity) - t.initial_balance
    with_days = f", with {count_words(t.min_trading_days, 'trading day')}"
    return _goal_meter(
        "profit_target_pct",
        done=gained,
        whole=whole,
        word=f"{int(_part(max(ZERO, gained), whole))} %",
        used=f"{money_words(gained).replace('-', '−')} of {money_words(whole)}",
        left=f"{money_words(max(ZERO, whole - gained))} to go",
        more=f"Reached at equity {money_words(t.initial_balance + whole)}"
        f"{with_days if t.min_trading_days else ''}. Open positions count.",
    )


def _least_days(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    if not t.min_trading_days:
        return None
    counted = "A day with at least one fill." if t.trading_days_mode == "fills" else "Every day."
    return _goal_meter(
        "min_trading_days",
        done=Decimal(m.trading_days),
        whole=Decimal(t.min_trading_days),
        word=f"{m.trading_days} of {t.min_trading_days}",
        used=f"{m.trading_days} of {count_words(t.min_trading_days, 'trading day')}",
        left=f"{max(0, t.min_trading_days - m.trading_days)} to go",
        more=counted,
    )


def _profitable_days(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    if not t.min_profitable_days:
        return None
    have = int(figures.get("profitable_days") or 0)
    return _goal_meter(
        "min_profitable_days",
        done=Decimal(have),
        whole=Decimal(t.min_profitable_days),
        word=f"{have} of {t.min_profitable_days}",
        used=f"{have} of {count_words(t.min_profitable_days, 'profitable day')}",
        left=f"{max(0, t.min_profitable_days - have)} to go",
        more=f"A day that earns {percent_words(t.profitable_day_pct)} of the initial balance.",
    )


def _consistency(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    if t.consistency_pct <= 0:
        return None
    best = Decimal(figures.get("best_day_pct") or 0)
    is_met = best <= t.consistency_pct
    return _goal_meter(
        "consistency_pct",
        done=t.consistency_pct if is_met else t.consistency_pct * t.consistency_pct / best,
        whole=t.consistency_pct,
        word="Met" if is_met else "Not yet",
        used=f"best day {best:.0f} % of the profit",
        left=f"at most {percent_words(t.consistency_pct)}",
        more="The best day may bring only this part of the whole profit.",
    )


def _most_days(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    if not t.max_trading_days:
        return None
    end = "ends the phase" if t.is_funded else "fails the phase"
    return _limit_meter(
        "max_trading_days", t, m,
        used=Decimal(m.trading_days), whole=Decimal(t.max_trading_days),
        used_words=f"{m.trading_days} of {count_words(t.max_trading_days, 'trading day')}",
        left_words=f"{max(0, t.max_trading_days - m.trading_days)} left",
        more=f"One day more {end}.",
    )  # fmt: skip


def _inactivity(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    if not t.max_inactive_days:
        return None
    since = max(m.start_time, m.last_fill_at)
    days = Decimal(max(0, moment.at - since)) / 86_400
    left = max(ZERO, t.max_inactive_days - days)
    return _limit_meter(
        "max_inactive_days", t, m, used=days, whole=Decimal(t.max_inactive_days),
        used_words=f"{int(days)} of {count_words(t.max_inactive_days, 'day')} without a trade",
        left_words=f"{int(left)} left", more="Counted from the last fill.",
    )  # fmt: skip


def _time(t: Terms, m: Measures, figures: Figures, moment: Moment) -> Meter | None:
    if not t.duration_days:
        return None
    deadline = t.deadline(m.start_time)
    passed = Decimal(max(0, moment.at - m.start_time)) / 86_400
    local = datetime.fromtimestamp(deadline, UTC).astimezone(moment.zone)
    day = min(t.duration_days, int(passed) + 1)
    left = figures["days_left"] or 0
    return _limit_meter(
        "duration_days", t, m, used=passed, whole=Decimal(t.duration_days),
        used_words=f"day {day} of {t.duration_days}",
        left_words=f"{count_words(int(left), 'day')} left",
        more=f"Ends {local.day} {local:%b %Y, %H:%M %Z}.",
    )  # fmt: skip


_MAKERS: tuple[Maker, ...] = (
    _daily_loss,
    _total_loss,
    _daily_profit,
    _positions,
    _exposure("max_exposure_market_pct", lambda m: m.market_exposure, "market"),
    _exposure("max_exposure_event_pct", lambda m: m.event_exposure, "event"),
    _most_days,
    _inactivity,
    _time,
    _target,
    _least_days,
    _profitable_days,
    _consistency,
)
