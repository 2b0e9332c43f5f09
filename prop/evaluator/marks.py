"""Prices of what a firm's phases hold: one look at the books, one at the venue's results."""

import numpy as np

from polysim.kernel.money import parse_decimal, to_scaled
from prop.evaluator.book import PhaseBook
from prop.evaluator.loading import load_results
from prop.rules.columns import Column, column
from prop.rules.exact import FAR
from trading.markets.books import Mark, read_marks


def held_tokens(book: PhaseBook) -> Column:
    """Rows of the outcomes that some phase holds."""
    positions = book.arrays.positions
    used = slice(0, positions.count)
    return np.unique(positions.token[used][positions.quantity[used] > 0])


def apply_marks(book: PhaseBook, tokens: Column) -> Column:
    """Read the marks of these outcomes; answers those whose price changed.

    A result of the venue is final and stays. Raises ServiceUnavailable without Valkey: then the
    marks stay as they were, and grow old.
    """
    positions = book.arrays.positions
    open_tokens = [token for token in tokens.tolist() if positions.marked_at[token] < FAR]
    named = {token: book.outcomes[token] for token in open_tokens}
    found = read_marks((outcome.condition_id, outcome.index) for outcome in named.values())
    changed = []
    for token, outcome in named.items():
        mark = found.get((outcome.condition_id, outcome.index))
        # A book that shows no price any more leaves the last known one, with its time.
        if mark is not None and _set(book, token, mark):
            changed.append(token)
    return column(changed)


def apply_results(book: PhaseBook, tokens: Column) -> Column:
    """Value outcomes of resolved markets at their result until they are settled."""
    positions = book.arrays.positions
    named = {token: book.outcomes[token] for token in tokens.tolist()}
    results = load_results(sorted({outcome.market_id for outcome in named.values()}))
    changed = []
    for token, outcome in named.items():
        payouts = results.get(outcome.market_id)
        if payouts is None:
            continue
        value = to_scaled(parse_decimal(payouts[outcome.index]))
        if positions.marked_at[token] != FAR or positions.mark[token] != value:
            positions.set_mark(token, value, FAR)
            changed.append(token)
    return column(changed)


def _set(book: PhaseBook, token: int, mark: Mark) -> bool:
    """Whether the price is another one; its time is taken over in any case."""
    positions = book.arrays.positions
    is_changed = int(positions.mark[token]) != mark.price
    positions.set_mark(token, mark.price, mark.at_ms // 1000)
    return is_changed
