"""Numbers as people read them (ui.md, "Numbers and words"): pure text from exact Decimals.

Half-up everywhere, a true minus, tabular thousands. Used by templates, CSV-free messages and
chart labels; machine-readable text (API, CSV) is made elsewhere.
"""

from decimal import ROUND_HALF_UP, Decimal

MINUS = "−"
ONE = Decimal(1)
CENT = Decimal("0.01")
TENTH = Decimal("0.1")


def round_to(value: Decimal, step: Decimal) -> Decimal:
    """Half-up to the decimals of `step` (0.01: two)."""
    return value.quantize(step, ROUND_HALF_UP)


def _without_zeros(number: Decimal) -> str:
    text = f"{number:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def price_cents_text(price: Decimal, tick: Decimal | None = None) -> str:
    """0.63 -> 63¢, 0.634 -> 63.4¢, 0.0005 -> 0.05¢; a tick of 0.001 gives 63.0¢."""
    in_cents = price * 100
    if tick is not None:
        decimals = max(0, -int(tick.normalize().as_tuple().exponent) - 2)
        return f"{round_to(in_cents, Decimal(1).scaleb(-decimals)):f}¢"
    step = CENT if abs(in_cents) < 1 else TENTH
    return f"{_without_zeros(round_to(in_cents, step))}¢"


def chance_text(price: Decimal) -> str:
    """Whole percent; what is neither certain nor impossible never reads 0% or 100%."""
    if 0 < price < CENT:
        return "<1%"
    if 1 - CENT < price < 1:
        return ">99%"
    return f"{round_to(price * 100, ONE)}%"


def money_text(amount: Decimal) -> str:
    """Dollars and cents, negative with a true minus before the sign."""
    cents = round_to(amount, CENT)
    return f"{MINUS if cents < 0 else ''}${abs(cents):,.2f}"


def whole_money_text(amount: Decimal) -> str:
    """Dollars without cents."""
    dollars = round_to(amount, ONE)
    return f"{MINUS if dollars < 0 else ''}${abs(dollars):,f}"


def signed_money_text(amount: Decimal) -> str:
    """As `money_text`, with a plus for a gain and no sign for zero."""
    text = money_text(amount)
    return f"+{text}" if round_to(amount, CENT) > 0 else text


def compact_text(amount: Decimal) -> str:
    """Three digits at most: $940, $412k, $1.84m, $2.1bn."""
    for size, unit in ((Decimal(10**9), "bn"), (Decimal(10**6), "m"), (Decimal(1000), "k")):
        if amount >= size:
            number = amount / size
            step = ONE if number >= 100 or unit == "k" else TENTH if number >= 10 else CENT
            return f"${_without_zeros(round_to(number, step))}{unit}"
    return f"${round_to(amount, ONE):f}"


def shares_text(quantity: Decimal) -> str:
    """Up to two decimals; a sliver below a hundredth keeps what it has."""
    step = CENT if quantity == 0 or abs(quantity) >= CENT else Decimal("0.000001")
    return _without_zeros(round_to(quantity, step))


def depth_text(quantity: Decimal) -> str:
    """Shares of a level: 390.25, 20,479, 1.17m: large ones without what nobody reads."""
    if quantity >= 10**6:
        number = quantity / 10**6
        return f"{_without_zeros(round_to(number, CENT if number < 100 else ONE))}m"
    if quantity >= 10**4:
        return f"{round_to(quantity, ONE):,f}"
    return shares_text(quantity)


def percent_text(ratio: Decimal) -> str:
    """0.127 -> +12.7%; zero has no sign."""
    number = round_to(ratio * 100, TENTH)
    sign = MINUS if number < 0 else "+" if number > 0 else ""
    return f"{sign}{abs(number):,}%"


def unscaled(value: int | None) -> Decimal | None:
    """A live price or size (scaled by 10**6) as a Decimal of dollars or shares."""
    return None if value is None else Decimal(value).scaleb(-6)
