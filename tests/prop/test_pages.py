"""The trader's pages of challenges: shop, buying, the challenge, why it failed, one day."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from polysim.kernel.clock import utc_now
from polysim.kernel.money import to_scaled
from polysim.kernel.tenancy import enter_building
from prop.models import ChallengePhase, Purchase
from prop.rules import Measures, Terms, evaluate
from prop.services.evidence import Evidence
from prop.services.purchases import Bought, buy_challenge
from prop.services.verdicts import Decision, write_verdicts
from tenants.models import User
from tests.pages.conftest import _fresh_pages, market  # noqa: F401 (fixtures)
from tests.prop.catalogue import make_program
from tests.prop.trader import make_customer, make_payer
from tests.support.exchange import Trader
from wallets.models import Wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def customer() -> User:
    return make_customer()


@pytest.fixture
def page(customer: User) -> Client:
    client = Client()
    client.force_login(customer)
    return client


def buy(customer: User, **program: Any) -> Bought:
    now = utc_now()
    with enter_building("alpha"):
        made = make_program(**program)
        payer = make_payer(customer, "250", now=now)
        return buy_challenge(
            customer=customer,
            program_id=made.pk,
            payer_login=payer.pk,
            idempotency_key="",
            now=now,
        )


def fail(challenge_id: int, equity: str) -> None:
    """Let the phase's equity stand at `equity` and the rules decide."""
    now = utc_now()
    with enter_building("alpha"):
        phase = ChallengePhase.objects.get(challenge_id=challenge_id)
        terms = Terms.from_data(phase.terms)
        assert phase.start_at is not None
        worth = to_scaled(Decimal(equity))
        start = terms.scaled.start
        measures = Measures(
            at=int(now.timestamp()),
            start_time=int(phase.start_at.timestamp()),
            equity=worth,
            balance=worth,
            day_start_equity=start,
            day_start_balance=start,
            peak_equity=start,
        )
        decision = Decision(
            phase_id=phase.pk,
            verdict=evaluate(terms, measures),
            evidence=Evidence(terms=terms, measures=measures, cash=worth),
        )
        write_verdicts(decisions=[decision], now=now)


def test_a_visitor_is_sent_to_the_log_in_page(db: None) -> None:
    assert Client().get("/challenges/")["Location"].startswith("/login/")


def test_somebody_without_a_firm_reads_how_challenges_come(db: None) -> None:
    from tests.support.exchange import make_user

    client = Client()
    client.force_login(make_user())
    assert "Challenges belong to prop firms." in client.get("/challenges/").content.decode()


def test_the_shop_tells_every_rule_in_words_and_money(page: Client) -> None:
    with enter_building("alpha"):
        make_program()
    html = page.get("/challenges/").content.decode()
    assert '<h2 id="h-alpha">Alpha Prop</h2>' in html
    assert "Total loss: your equity must stay above $9,000.00" in html
    assert "Profit share: 75 % of the profit is paid to you." in html
    assert "$99.00" in html


def test_buying_takes_the_fee_once_however_often_the_form_is_sent(
    page: Client, customer: User
) -> None:
    now = utc_now()
    with enter_building("alpha"):
        program = make_program()
        payer = make_payer(customer, "250", now=now)
    address = f"/challenges/buy/{program.pk}/?tenant=alpha"
    html = page.get(address).content.decode()
    key = re.search(r'name="idempotency_key" value="([^"]+)"', html)
    assert key is not None
    assert "$151.00" in html
    fields = {"payer_login": payer.pk, "idempotency_key": key[1], "understood": "1"}
    first = page.post(address, fields)
    second = page.post(address, fields)
    assert first.status_code == second.status_code == 303
    assert first["Location"] == second["Location"]
    assert first["Location"].startswith("/challenges/")
    with enter_building("alpha"):
        assert Purchase.objects.count() == 1
        assert Wallet.objects.get(pk=payer.pk).balance == Decimal("151.00")


def test_without_the_tick_nothing_is_taken(page: Client, customer: User) -> None:
    with enter_building("alpha"):
        program = make_program()
        payer = make_payer(customer, "250", now=utc_now())
    answer = page.post(
        f"/challenges/buy/{program.pk}/?tenant=alpha",
        {"payer_login": payer.pk, "idempotency_key": "k"},
    )
    assert answer.status_code == 422
    assert "nothing was taken" in answer.content.decode()
    with enter_building("alpha"):
        assert not Purchase.objects.exists()


def test_an_account_with_too_little_says_so_before_the_click(page: Client, customer: User) -> None:
    with enter_building("alpha"):
        program = make_program()
        make_payer(customer, "41.50", now=utc_now())
    html = page.get(f"/challenges/buy/{program.pk}/?tenant=alpha").content.decode()
    assert "Not enough funds." in html
    assert "disabled" in html


def test_the_challenge_shows_meters_with_room_and_threshold(page: Client, customer: User) -> None:
    bought = buy(customer)
    assert bought.challenge is not None
    html = page.get(f"/challenges/{bought.challenge.pk}/?tenant=alpha").content.decode()
    assert "used $0.00 of $500.00" in html
    assert "Breaks at equity $9,000.00. Open positions count." in html
    assert "$0.00 of $800.00" in html
    assert "0 of 5" in html
    assert 'aria-current="step"' in html
    fragment = page.get(f"/challenges/{bought.challenge.pk}/live/?tenant=alpha")
    assert "challenge-live" in fragment.content.decode()


def test_open_positions_move_the_meters_at_once(page: Client, customer: User, market: Any) -> None:  # noqa: F811
    bought = buy(customer)
    assert bought.challenge is not None
    with enter_building("alpha"):
        wallet = Wallet.objects.get(pk=bought.challenge.account_login)
    Trader(customer, wallet, "alpha").place(
        market, "BUY", quantity="10", price="0.70", now=utc_now()
    )
    html = page.get(f"/challenges/{bought.challenge.pk}/?tenant=alpha").content.decode()
    assert "1 of 5" in html
    # Ten shares for 6.54 and 0.16 fee, worth 6.30 at the mark of 63 cents.
    assert "used $0.40 of $500.00" in html


def test_the_account_bar_names_the_two_tightest_rules(page: Client, customer: User) -> None:
    bought = buy(customer)
    assert bought.challenge is not None
    page.post("/account/switch/", {"wallet": bought.challenge.account_login})
    html = page.get("/markets/").content.decode()
    bar = html[html.index('class="acct-rules"') :]
    assert bar.count('class="is-ok"') == 2
    assert f"/challenges/{bought.challenge.pk}/?tenant=alpha#r-" in bar


def test_the_ticket_says_what_a_total_loss_would_leave(
    page: Client,
    customer: User,
    market: Any,  # noqa: F811
) -> None:
    bought = buy(customer)
    assert bought.challenge is not None
    login = bought.challenge.account_login
    page.post("/account/switch/", {"wallet": login})
    fields = {"wallet": login, "market": market.condition_id, "side": "BUY", "type": "market"}
    html = page.post("/orders/preview/", {**fields, "outcome": "0", "size": "6", "unit": "shares"})
    text = html.content.decode()
    assert "If this goes to 0" in text
    # Six shares cost 3.90 and 0.10 fee of 500.00 and 1,000.00.
    assert "$496.00" in text
    assert "$996.00" in text


def test_a_failed_challenge_says_why_in_words_and_numbers(page: Client, customer: User) -> None:
    bought = buy(customer)
    assert bought.challenge is not None
    fail(bought.challenge.pk, "9000")
    html = page.get(f"/challenges/{bought.challenge.pk}/?tenant=alpha").content.decode()
    assert "Total loss 10 % reached the limit of 10 %" in html
    why = page.get(f"/challenges/{bought.challenge.pk}/why/?tenant=alpha").content.decode()
    assert "Why phase 1 failed" in why
    assert "Daily loss 10 % reached the limit of 5 %" in why
    assert "SHA-256" in why
    assert "$9,000.00" in why


def test_a_day_of_the_calendar_opens(page: Client, customer: User) -> None:
    bought = buy(customer)
    assert bought.challenge is not None
    day = utc_now().date()
    html = page.get(f"/challenges/{bought.challenge.pk}/days/{day}/?tenant=alpha")
    assert "No trades on this day." in html.content.decode()
    assert page.get(f"/challenges/{bought.challenge.pk}/days/1999-01-01/").status_code == 404
    assert page.get(f"/challenges/{bought.challenge.pk}/days/never/").status_code == 404


@pytest.mark.parametrize("part", ["", "live/", "points/", "why/", "days/2027-01-05/"])
def test_a_strangers_challenge_is_not_there(customer: User, part: str) -> None:
    bought = buy(customer)
    assert bought.challenge is not None
    stranger = Client()
    stranger.force_login(make_customer())
    own = stranger.get(f"/challenges/{bought.challenge.pk}/{part}?tenant=alpha")
    unknown = stranger.get(f"/challenges/999999/{part}?tenant=alpha")
    assert own.status_code == unknown.status_code == 404


def test_a_firm_that_does_not_know_the_person_is_not_there(page: Client) -> None:
    assert page.get("/challenges/?tenant=beta").status_code == 404
    assert page.get("/challenges/1/?tenant=beta").status_code == 404


def test_the_firms_host_leads_to_the_platforms_pages(page: Client) -> None:
    answer = page.get("/challenges/", headers={"host": "alpha.localhost"})
    assert answer.status_code == 302
    assert answer["Location"].endswith("/challenges/?tenant=alpha")


def test_the_curve_comes_as_points_with_its_lines(page: Client, customer: User) -> None:
    bought = buy(customer)
    assert bought.challenge is not None
    data = page.get(f"/challenges/{bought.challenge.pk}/points/?tenant=alpha").json()
    assert data["baseline"].startswith("10000")
    values = {line["kind"]: Decimal(line["value"]) for line in data["lines"]}
    assert values == {"target": 10800, "floor": 9000, "day": 9500}
