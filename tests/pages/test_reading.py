"""The pages as a browser without script gets them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from polysim.kernel.clock import utc_now
from tests.pages.conftest import ASKS, BIDS, list_market, run_feed
from tests.support.exchange import Trader, make_market, set_book
from trading.markets.models import Market, MarketResolution, MarketStats, VenueTrade
from trading.selectors.pages.catalogue import market_path
from trading.selectors.pages.status import BAD, GOOD, JOB_WORDS, read_status

QUERIES_MAX = 8


def text_of(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, answer.content[:500]
    return answer.content.decode()


def test_a_visitor_sees_what_polysim_is_and_three_live_markets(market: Market) -> None:
    for number in range(4):
        list_market(make_market(), volume=str(100 + number))
    html = text_of(Client(), "/")
    assert "Real prediction markets. Simulated money." in html
    assert html.count('class="panel front"') == 3
    assert "Synthetic prices (demo)." in html


def test_somebody_with_a_session_goes_on_to_the_markets(page: Client) -> None:
    answer = page.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/markets/")


def test_the_list_shows_question_chance_asks_and_account(page: Client, market: Market) -> None:
    html = text_of(page, "/markets/")
    assert market.question in html
    assert "63%" in html
    assert "65¢" in html
    assert "39¢" in html
    assert "−4 pts" in html
    assert "$1,000.00" in html
    assert "<title>Markets - Main - Polysim</title>" in html


def test_filters_narrow_and_can_be_cleared(page: Client, market: Market) -> None:
    html = text_of(page, "/markets/?q=nothing+of+this")
    assert "Nothing matches “nothing of this”." in html
    assert "Clear the filter" in html
    assert market.question in text_of(page, "/markets/?topic=crypto&q=happen")
    assert market.question not in text_of(page, "/markets/?status=resolved")
    assert "No positions or open orders in Main." in text_of(page, "/markets/?mine=1")


@pytest.mark.parametrize("sort", ["volume", "ending", "change", "newest"])
def test_every_market_comes_once_over_all_pages(page: Client, db: None, sort: str) -> None:
    now = utc_now()
    for number in range(65):
        made = make_market(ends_at=now + timedelta(hours=number % 7) if number % 3 else None)
        MarketStats.objects.create(
            market=made,
            volume_24h=Decimal(number % 5) if number % 4 else None,
            change_24h=Decimal(number % 3) / 100 if number % 5 else None,
        )
    seen: list[int] = []
    after = ""
    for _ in range(4):
        shown = page.get("/markets/", {"sort": sort, "after": after}).context["page"]
        seen += [row.market.id for row in shown.rows]
        after = shown.next_after
        if not after:
            break
    assert len(seen) == 65
    assert len(set(seen)) == 65


def test_broken_addresses_of_pages_start_at_the_beginning(page: Client, market: Market) -> None:
    for after in ("~", "x~1", "1~x", "NaN~1", "1~99999999999999999999", "~~~", "%00~1"):
        assert market.question in text_of(page, f"/markets/?after={after}")


def test_a_market_shows_its_book_its_rules_and_the_ticket(page: Client, market: Market) -> None:
    html = text_of(page, f"/markets/{market.slug}/")
    assert "<caption" in html
    assert 'class="asks"' in html
    assert "Use 61¢ as limit price" in html
    assert "Resolves Yes if it happens." in html
    assert "Show as table" in html
    assert "$1,000.00</span> available" in html
    assert 'name="client_order_id" value="web-' in html


def test_a_link_opens_the_ticket_as_it_says(page: Client, market: Market) -> None:
    path = f"/markets/{market.slug}/?outcome=1&side=SELL&type=limit&price=0.37"
    form = page.get(path).context["form"]
    assert (form.outcome, form.side, form.type, form.limit) == ("1", "SELL", "limit", "37")


def test_a_visitor_is_asked_to_sign_up_instead_of_trading(market: Market) -> None:
    html = text_of(Client(), f"/markets/{market.slug}/")
    assert "Trade this with simulated money" in html
    assert "order-form" not in html


def test_the_tape_shows_trades_of_both_outcomes_as_one(page: Client, market: Market) -> None:
    for index, price in ((0, "0.63"), (1, "0.40")):
        VenueTrade.objects.create(
            outcome=market.outcomes.get(index=index),
            market=market,
            price=Decimal(price),
            size=Decimal(12),
            side="BUY",
            traded_at=utc_now(),
            identity=f"t{index}",
        )
    tape = page.get(f"/markets/{market.slug}/").context["tape"]
    shown = {(price.value, price.is_buy) for _, price in tape}
    assert shown == {(Decimal("0.63"), True), (Decimal("0.60"), False)}


def test_old_prices_say_their_age_and_stop_market_orders(page: Client, market: Market) -> None:
    run_feed()
    two_minutes_ago = utc_now() - timedelta(minutes=2)
    set_book(market, bids=BIDS, asks=ASKS, now=utc_now(), confirmed_at=two_minutes_ago)
    answer = page.get(f"/markets/{market.slug}/")
    assert answer.context["view"].are_market_orders_off
    html = answer.content.decode()
    assert 'value="market" disabled' in html
    assert "2 min</b> old" in html


def test_a_halt_stands_above_every_page(page: Client, market: Market) -> None:
    run_feed(halted=1)
    assert "The venue is not answering." in text_of(page, "/portfolio/")


def test_replayed_prices_are_called_so(page: Client, market: Market) -> None:
    run_feed("replay")
    assert "they are not today's" in text_of(page, "/markets/")


def test_a_resolved_market_shows_its_result_instead_of_a_ticket(
    page: Client, market: Market
) -> None:
    MarketResolution.objects.create(
        market=market, version=1, payouts=["0", "1"], source="gamma", resolved_at=utc_now()
    )
    html = text_of(page, f"/markets/{market.slug}/")
    assert "Yes pays" in html
    assert "$1.00 a share" in html
    assert "order-form" not in html
    assert "data-market=" not in html, "live prices must not write over the result"


def test_a_closed_market_takes_no_orders(page: Client, market: Market) -> None:
    Market.objects.filter(pk=market.pk).update(is_closed=True)
    assert "Trading has ended." in text_of(page, f"/markets/{market.slug}/")


def test_unknown_markets_are_a_page_of_their_own(page: Client, db: None) -> None:
    html = text_of(page, "/markets/no-such-market/", status=404)
    assert "There is nothing here" in html
    assert "<code>" in html


@pytest.mark.parametrize("rest", ["", "chart/", "points/", "own/"])
def test_a_null_byte_in_a_slug_is_an_unknown_market(page: Client, db: None, rest: str) -> None:
    text_of(page, f"/markets/%00/{rest}", status=404)


def test_placeholders_of_a_group_are_not_shown(page: Client, market: Market) -> None:
    hidden = make_market(event=market.event, is_hidden=True)
    text_of(page, f"/markets/{hidden.slug}/", status=404)
    assert hidden.question not in text_of(page, f"/markets/{market.slug}/")


def test_without_valkey_the_catalogue_is_still_readable(
    page: Client, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    def refuse(*arguments: Any, **options: Any) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr("trading.markets.books.store.get_redis", refuse)
    assert market.question in text_of(page, "/markets/")
    html = text_of(page, f"/markets/{market.slug}/")
    assert "63%" in html
    assert "Prices stand still." in html


@pytest.mark.parametrize("path", ["/portfolio/", "/settings/", "/account/"])
def test_own_pages_ask_visitors_to_log_in(db: None, path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/login/?next=%2F{path[1:-1]}%2F")


def test_list_and_market_need_few_queries(page: Client, trader: Trader, market: Market) -> None:
    for _ in range(40):
        list_market(make_market(event=market.event))
    trader.place(market, "BUY", quantity="10", price="0.70", now=utc_now())
    trader.place(market, "BUY", quantity="10", price="0.50", order_type="limit", now=utc_now())
    for path in ("/markets/", f"/markets/{market.slug}/"):
        page.get(path)
        with CaptureQueriesContext(connection) as captured:
            page.get(path)
        asked = [one["sql"] for one in captured if "search_path" not in one["sql"]]
        assert len(asked) <= QUERIES_MAX, "\n".join(asked)


def test_the_status_page_says_what_runs(page: Client, market: Market) -> None:
    html = text_of(page, "/status/")
    assert "synthetic prices (demo)" in html
    assert "receives prices" in html
    assert "Settlement" in html


def test_a_job_is_late_only_when_its_turn_has_passed(market: Market) -> None:
    every, _ = IntervalSchedule.objects.get_or_create(every=300, period="seconds")
    PeriodicTask.objects.filter(name__in=JOB_WORDS).delete()
    for name in JOB_WORDS:
        PeriodicTask.objects.create(name=name, task="x", interval=every)
    now = utc_now()
    fresh = read_status(now=now)
    assert {job.words for job in fresh.jobs} == {"waits for its first turn"}
    assert all(job.state == GOOD for job in fresh.jobs)
    forgotten = read_status(now=now + timedelta(hours=1))
    assert {(job.words, job.state) for job in forgotten.jobs} == {("has never run", BAD)}


def test_polling_gives_the_frames_of_the_socket(page: Client, market: Market) -> None:
    path = f"/live/?market={market.condition_id}&book={market.condition_id}"
    frames = {frame["type"]: frame for frame in page.get(path).json()["frames"]}
    assert frames["price"]["best_ask"] == "0.65"
    assert frames["book"]["outcomes"][0]["bids"][0] == ["0.61", "40"]
    assert frames["feed"]["mode"] == "demo"


def test_scripts_of_the_page_carry_the_nonce_and_nothing_is_inline(market: Market) -> None:
    answer = Client().get(f"/markets/{market.slug}/")
    html = answer.content.decode()
    assert "'unsafe-eval'" not in answer["Content-Security-Policy"]
    assert " onclick=" not in html
    nonce = html.split('<script nonce="', 1)[1].split('"', 1)[0]
    assert f"'nonce-{nonce}'" in answer["Content-Security-Policy"]


def test_links_of_lists_are_the_addresses_of_the_pages(page: Client, market: Market) -> None:
    market.slug = "a b/c?d"
    assert market_path(market) == "/markets/a%20b%2Fc%3Fd/"
    row = page.get("/markets/").context["page"].rows[0]
    assert row.path == reverse("market", args=[row.market.slug])


def test_an_own_order_between_the_levels_has_its_row(
    page: Client, trader: Trader, market: Market
) -> None:
    trader.place(market, "BUY", order_type="limit", price="0.63", quantity="10", now=utc_now())
    ladder = page.get(f"/markets/{market.slug}/").context["ladder"]
    rows = [(row.price, row.size, row.own) for row in ladder.bids]
    assert rows[0] == (Decimal("0.63"), Decimal(0), Decimal(10))
    assert rows[1][:2] == (Decimal("0.61"), Decimal(40))
    assert ladder.best_bid == Decimal("0.61")
