"""A slow and obvious second engine in Decimal, written from the contract (trading-api 7 and 8).

It shares no code with `trading.engine`: dictionaries of Decimals, one rule after the other. Random
cases must give the same answers here and there.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

CENT = Decimal("0.01")
QUANTUM = Decimal("0.0001")
FEE_PLACES = Decimal("0.00001")
ONE_SHARE = Decimal(1)
BAND_LEAST = Decimal("0.02")

Side = dict[Decimal, Decimal]


def merge(own: Side, mirrored: Side) -> Side:
    """Per price the larger of the own size and the complement's at one minus the price."""
    merged = dict(own)
    for price, size in mirrored.items():
        merged[1 - price] = max(size, merged.get(1 - price, Decimal(0)))
    return merged


def subtract(side: Side, taken: Side) -> Side:
    """What is left of each level; emptied ones are gone."""
    left = {price: size - taken.get(price, Decimal(0)) for price, size in side.items()}
    return {price: size for price, size in left.items() if size > 0}


def best_first(levels: Side, side: str) -> list[tuple[Decimal, Decimal]]:
    """Levels as a taker of `side` meets them."""
    return sorted(levels.items(), reverse=side == "SELL")


def floor_to_quantum(quantity: Decimal) -> Decimal:
    return quantity.quantize(QUANTUM, ROUND_FLOOR)


def fee_of(quantity: Decimal, price: Decimal, rate: Decimal, exponent: int) -> Decimal:
    fee = quantity * rate * (price * (1 - price)) ** exponent
    return fee.quantize(FEE_PLACES, ROUND_HALF_UP).quantize(CENT, ROUND_HALF_UP)


def basis_points(distance: Decimal, reference: Decimal) -> int:
    return int((distance * 10_000 / reference).quantize(Decimal(1), ROUND_HALF_UP))


def accepts(order: dict[str, Any], price: Decimal) -> bool:
    if order["side"] == "BUY":
        return bool(price <= order["price"])
    return bool(price >= order["price"])


def take(levels: list[tuple[Decimal, Decimal]], wanted: Decimal) -> list[tuple[Decimal, Decimal]]:
    """(price, quantity) pairs until `wanted` shares are together or the levels end."""
    taken = []
    for price, size in levels:
        part = min(size, wanted)
        if part <= 0:
            break
        taken.append((price, part))
        wanted -= part
    return taken


def total(taken: list[tuple[Decimal, Decimal]]) -> Decimal:
    return sum((quantity for _, quantity in taken), Decimal(0))


def worth(taken: list[tuple[Decimal, Decimal]]) -> Decimal:
    return sum((price * quantity for price, quantity in taken), Decimal(0))


def is_outside_band(order: dict[str, Any], price: Decimal) -> bool:
    center, tolerance = order["displayed"], order["band"]
    if not center or not tolerance or abs(price - center) <= BAND_LEAST:
        return False
    return bool(price < center * (1 - tolerance) or price > center * (1 + tolerance))


def match(order: dict[str, Any]) -> dict[str, Any]:
    """Decide `order`, whose keys are those of `case.random_case`. Sides are price -> size."""
    with localcontext(prec=80):
        return _match(order)


def _match(order: dict[str, Any]) -> dict[str, Any]:
    opposite = "asks" if order["side"] == "BUY" else "bids"
    shown = best_first(order["shown"][opposite], order["side"])
    levels = best_first(order["executable"][opposite], order["side"])
    usable = [level for level in levels if accepts(order, level[0])]
    if order["post_only"] and any(accepts(order, price) for price, _ in shown):
        return _refused(order, "INVALID_POST_ONLY_ORDER")
    if order["tif"] in ("GTC", "GTD"):
        return _match_resting(order, usable)
    answer = _match_amount(order, usable, shown) if order["amount"] else None
    answer = answer or _match_quantity(order, usable, shown)
    if answer.get("code") and order["kind"] == "market" and not levels:
        answer["code"] = "NO_EXECUTABLE_DEPTH"
    return answer


def _match_quantity(
    order: dict[str, Any],
    usable: list[tuple[Decimal, Decimal]],
    shown: list[tuple[Decimal, Decimal]],
) -> dict[str, Any]:
    wanted = order["quantity"]
    depth = total(usable)
    if order["tif"] == "FOK":
        if depth > 0 and depth >= wanted - ONE_SHARE:
            return _filled(order, take(usable, wanted), wanted, wanted)
        is_too_big = total(shown) < wanted - ONE_SHARE
        code = "INSUFFICIENT_LIQUIDITY" if is_too_big else "FOK_ORDER_NOT_FILLED_ERROR"
        return _refused(order, code)
    part = floor_to_quantum(min(wanted, depth))
    if not part:
        return _refused(order, "FOK_ORDER_NOT_FILLED_ERROR")
    return _filled(order, take(usable, part), part, wanted)


def _match_amount(
    order: dict[str, Any],
    usable: list[tuple[Decimal, Decimal]],
    shown: list[tuple[Decimal, Decimal]],
) -> dict[str, Any]:
    left = order["amount"]
    bought = Decimal(0)
    last_price = None
    for price, size in usable:
        part = min(size, left / price)
        if part == 0:
            break
        bought += part
        left = Decimal(0) if part < size else left - price * part
        last_price = price
    if order["tif"] == "FOK" and (last_price is None or left > ONE_SHARE * last_price):
        dearest = shown[-1][0] if shown else Decimal(0)
        is_too_big = bool(shown) and order["amount"] - worth(shown) > ONE_SHARE * dearest
        code = "INSUFFICIENT_LIQUIDITY" if is_too_big else "FOK_ORDER_NOT_FILLED_ERROR"
        return _refused(order, code)
    quantity = floor_to_quantum(bought)
    if not quantity:
        return _refused(order, "FOK_ORDER_NOT_FILLED_ERROR" if left else "INVALID_QUANTITY")
    missing = floor_to_quantum(left / last_price) if last_price else Decimal(0)
    asked = quantity if order["tif"] == "FOK" else quantity + missing
    return _filled(order, take(usable, quantity), quantity, asked)


def _match_resting(order: dict[str, Any], usable: list[tuple[Decimal, Decimal]]) -> dict[str, Any]:
    wanted = order["quantity"]
    part = floor_to_quantum(min(wanted, total(usable)))
    rest = wanted - part
    hold = Decimal(0)
    if order["side"] == "BUY":
        hold = (order["price"] * rest).quantize(CENT, ROUND_CEILING)
    if not part:
        return {"status": "resting", "code": None, "filled": part, "rest": rest, "hold": hold}
    answer = _filled(order, take(usable, part), part, wanted)
    status = "resting" if rest else "filled"
    return {**answer, "status": status, "rest": rest, "hold": hold}


def _refused(order: dict[str, Any], code: str) -> dict[str, Any]:
    if order["kind"] == "limit" and not order["post_only"]:
        return {"status": "killed", "code": None, "filled": Decimal(0)}
    return {"status": "rejected", "code": code, "filled": Decimal(0)}


def _filled(
    order: dict[str, Any],
    taken: list[tuple[Decimal, Decimal]],
    filled: Decimal,
    asked: Decimal,
) -> dict[str, Any]:
    price = worth(taken) / total(taken)
    is_immediate = order["tif"] in ("FOK", "FAK", "IOC")
    if is_immediate and is_outside_band(order, price):
        return _refused(order, "NO_EXECUTABLE_DEPTH")
    notional = worth(taken) * filled / total(taken)
    displayed, best = order["displayed"], taken[0][0]
    slippage = basis_points(abs(price - displayed), displayed) if displayed else None
    warnings = []
    if is_immediate and filled < asked:
        warnings.append(f"partial_fill:filled={filled:.4f},requested={asked:.4f}")
    if slippage is not None and slippage >= 500:
        warnings.append(f"high_slippage_bps_{slippage}")
    return {
        "status": "filled",
        "code": None,
        "taken": taken,
        "filled": filled,
        "asked": asked,
        "price": price.quantize(QUANTUM, ROUND_HALF_UP),
        "notional": notional.quantize(CENT, ROUND_HALF_UP),
        "fee": fee_of(filled, price, order["rate"], order["exponent"]),
        "slippage": slippage,
        "impact": basis_points(abs(price - best), best),
        "levels": len(taken),
        "warnings": warnings,
    }


def spread_bps(bids: Side, asks: Side) -> int | None:
    """(ask - bid) / mid in basis points; 0 for crossed books."""
    if not bids or not asks:
        return None
    bid, ask = max(bids), min(asks)
    with localcontext(prec=80):
        return basis_points(max(ask - bid, Decimal(0)), (ask + bid) / 2)


def allocate(orders: list[dict[str, Any]], levels: Side) -> dict[int, Decimal]:
    """Shares each resting order of one side gets: best limit, then oldest, then lowest id."""
    left = dict(levels)
    got: dict[int, Decimal] = {}
    is_buy = orders[0]["side"] == "BUY" if orders else True
    sign = -1 if is_buy else 1
    for order in sorted(orders, key=lambda o: (sign * o["price"], o["created"], o["id"])):
        crossing = [price for price in left if accepts(order, price)]
        depth = sum((left[price] for price in crossing), Decimal(0))
        wanted = floor_to_quantum(min(order["remaining"], depth))
        if wanted <= 0:
            continue
        got[order["id"]] = wanted
        for price in sorted(crossing, reverse=not is_buy):
            part = min(left[price], wanted)
            left[price] -= part
            wanted -= part
    return got
