"""The whole first journey in Chromium, against all processes of quickstart in demo mode.

Sign up, see prices move, buy, leave a limit order that rests, see it fill, look at the portfolio.
"""

import re
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.stack import Stack

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.slow]

PASSWORD = "correct horse battery staple"
FILL_SECONDS_MAX = 60


def sign_up(page: Any, stack: Stack, email: str) -> None:
    """The form, the mailed code, and the markets with MAIN behind them."""
    page.goto(f"{stack.base_url}/signup/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    page.get_by_role("heading", name="Look into your mail").wait_for()
    page.get_by_label("Code").fill(mailed_code(stack, email))
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/markets/")


def mailed_code(stack: Stack, email: str) -> str:
    """The code in the newest mail to this address."""
    mails = sorted((stack.state / "mail").iterdir(), reverse=True)
    text = next(text for text in map(Path.read_text, mails) if f"To: {email}" in text)
    found = re.search(r"^Subject: .*code: (\S+)$", text, re.MULTILINE)
    assert found is not None, text
    return found[1]


def amount(text: str) -> Decimal:
    return Decimal(text.replace("−", "-").replace("$", "").replace(",", "").strip())


def value(page: Any, name: str) -> Decimal:
    return amount(page.locator(f"#account-bar [data-value={name}]").inner_text())


def open_first_market(page: Any) -> None:
    """A market with a price in the middle, so that both sides have room."""
    rows = page.locator("tbody tr[data-market]")
    for index in range(rows.count()):
        chance = rows.nth(index).locator("[data-live=chance]").inner_text()
        number = re.fullmatch(r"(\d+)%", chance.strip())
        question = rows.nth(index).locator("a.q")
        if number and 25 <= int(number[1]) <= 75 and "Up or Down" not in question.inner_text():
            question.click()
            page.wait_for_url("**/markets/*/")
            return
    raise AssertionError("no market of the list has a price between 25% and 75%")


def confirm(page: Any) -> str:
    page.locator("#order-button").click()
    page.locator("#review[open] button.btn--lg:not([disabled])").last.click()
    page.locator("#order-result [data-result=placed]").wait_for()
    return str(page.locator("#order-result").inner_text())


def wait_for(condition: Any, seconds_max: float, message: str) -> None:
    deadline = time.monotonic() + seconds_max
    while not condition():
        assert time.monotonic() < deadline, message
        time.sleep(0.25)


def test_from_sign_up_to_a_filled_limit_order(live_server_processes: Stack, page: Any) -> None:
    base_url = live_server_processes.base_url
    sign_up(page, live_server_processes, "newcomer@people.example")
    assert value(page, "equity") == Decimal("1000.00")
    page.locator("#feed-banner").get_by_text("Synthetic prices (demo).").wait_for()
    page.locator("#connection[data-state=live]").wait_for()

    open_first_market(page)
    page.locator("#connection[data-state=live]").wait_for()
    shown = page.locator("#ladder").inner_text()
    wait_for(lambda: page.locator("#ladder").inner_text() != shown, 20, "the book never moved")

    # A market order: previewed, confirmed, filled, booked to the cent.
    page.locator("#size").fill("50")
    page.locator("[data-preview] .sum dd").wait_for()
    assert "Filled. Bought" in confirm(page)
    wait_for(lambda: value(page, "cash") < 1000, 5, "cash stayed as it was")
    spent = Decimal(1000) - value(page, "cash")
    assert Decimal(49) < spent < Decimal(53)
    page.locator("#own [data-holding]").wait_for()

    # A limit order at the best bid rests, reserves cash, and fills when the price comes to it.
    page.locator("[name=type][value=limit]").check(force=True)
    page.locator("#ladder .bids a.level").first.click()
    page.locator("#size").fill("6")
    wait_for(
        lambda: "Buy 6" in page.locator("#order-button").inner_text(), 5, "no preview of the limit"
    )
    confirm(page)
    wait_for(
        lambda: (
            page.get_by_text("Bought 6", exact=False).count() > 0
            or page.locator("#own [data-own-order]").count() == 1
        ),
        10,
        "the order is neither open nor filled",
    )
    if page.locator("#own [data-own-order]").count():
        raise_until_filled(page)

    page.goto(f"{base_url}/portfolio/?tab=history")
    assert page.get_by_text("Bought", exact=False).count() >= 2
    page.goto(f"{base_url}/portfolio/?tab=ledger")
    assert page.get_by_text("Deposit").count() == 1
    equity, cash = value(page, "equity"), value(page, "cash")
    assert Decimal(900) < equity < Decimal(1100)
    assert cash < equity


def raise_until_filled(page: Any) -> None:
    """The synthetic price wanders: the resting order fills by itself, or moves up a step."""
    deadline = time.monotonic() + FILL_SECONDS_MAX
    while page.locator("#own [data-own-order]").count():
        if time.monotonic() > deadline:
            page.locator("#own form[data-cancel] button").first.click()
            page.get_by_text("Order cancelled").first.wait_for()
            page.locator("#limit").fill(
                page.locator(".tradebar [data-book=ask]").first.text_content().strip("¢")
            )
            page.locator("#size").fill("6")
            page.locator("[data-preview][data-can-place='1']").wait_for()
            confirm(page)
            return
        time.sleep(0.5)


def test_the_phone_has_the_ticket_as_a_sheet(live_server_processes: Stack, phone_page: Any) -> None:
    sign_up(phone_page, live_server_processes, "phone@people.example")
    phone_page.locator("tbody tr[data-market] a.q").first.click()
    phone_page.wait_for_url("**/markets/*/")
    width = phone_page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390
    phone_page.locator(".tradebar .btn--yes").click()
    phone_page.locator("#ticket #size").fill("20")
    phone_page.locator("[data-preview] .sum dd").wait_for()
    assert "in Main" in phone_page.locator("#order-button").inner_text()
    assert "$" in phone_page.locator("#order-button [data-total]").inner_text()
