"""A simulated account: cash and shares, moved only by what the engine says.

Orders are market orders that fill what the book gives (FAK), with the exchange's fees, its price
band and its check of funds (trading-api 7 to 9). Money is scaled by 10**6, cash in whole cents.
"""

from dataclasses import dataclass, field

from polysim.kernel.money import CENT, SCALE
from trading.engine.matching import MatchRequest, MatchResult, match_order
from trading.engine.valuation import Holding, apply_buy, apply_sell, market_value, payout
from trading.markets.pricing import Book

FAK = "FAK"
# The venue's smallest order is five shares; five dollars always buy as many.
LEAST_DOLLARS = 5 * SCALE
NOTHING = Holding()


@dataclass(frozen=True, slots=True)
class Quote:
    """What an order meets: book, displayed price, fee rate and price band (millionths)."""

    book: Book
    displayed: int
    fee_rate: int
    price_band: int = 0


@dataclass(slots=True)
class Account:
    """Free cash and holdings by token; totals of what was traded and paid in fees."""

    cash: int
    holdings: dict[int, Holding] = field(default_factory=dict)
    orders: int = 0
    refused: int = 0
    fees: int = 0
    volume: int = 0

    def buy(self, token: int, *, amount: int, quote: Quote) -> MatchResult | None:
        """Spend up to `amount` (scaled); None when it is refused or nothing fills."""
        amount -= amount % CENT
        if amount < LEAST_DOLLARS:
            return None
        result = self._match("BUY", quote, amount=amount)
        if not result.filled_quantity or result.notional + result.fee > self.cash:
            self.refused += 1
            return None
        self._count(result)
        self.cash -= result.notional + result.fee
        self.holdings[token] = apply_buy(
            self.holdings.get(token, NOTHING),
            quantity=result.filled_quantity,
            notional_product=result.notional_product,
        )
        return result

    def sell(self, token: int, *, quote: Quote) -> MatchResult | None:
        """Sell all shares of a token, as far as the book takes them; None without a fill."""
        held = self.holdings[token]
        result = self._match("SELL", quote, quantity=held.quantity)
        if not result.filled_quantity:
            self.refused += 1
            return None
        self._count(result)
        self.cash += result.notional - result.fee
        sale = apply_sell(
            held, quantity=result.filled_quantity, notional_product=result.notional_product
        )
        self._keep(token, sale.holding)
        return result

    def settle(self, token: int, payout_per_share: int) -> None:
        """A market ended: its shares are paid and gone. Settlements are no fills and free."""
        held = self.holdings.pop(token)
        self.cash += payout(held.quantity, payout_per_share)

    def worth(self, token: int, mark: int) -> int:
        """The shares of a token at a price."""
        return market_value(self.holdings[token].quantity, mark)

    def _match(
        self, side: str, quote: Quote, *, amount: int | None = None, quantity: int | None = None
    ) -> MatchResult:
        return match_order(
            MatchRequest(
                side=side,
                kind="market",
                time_in_force=FAK,
                price=SCALE - 1 if side == "BUY" else 1,
                book=quote.book,
                amount=amount,
                quantity=quantity,
                displayed_price=quote.displayed,
                price_band=quote.price_band,
                fee_rate=quote.fee_rate,
            )
        )

    def _count(self, result: MatchResult) -> None:
        self.orders += 1
        self.fees += result.fee
        self.volume += result.notional

    def _keep(self, token: int, holding: Holding) -> None:
        if holding.quantity:
            self.holdings[token] = holding
        else:
            del self.holdings[token]
