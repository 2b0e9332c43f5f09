"""A walk through the BackOffice in Chromium: sign in, look around, edit a program, on a phone."""

from collections.abc import Iterator
from typing import Any

import pytest

from polysim.kernel.tenancy import enter_building
from prop.models import Program
from tenants.models import User
from tests.backoffice.conftest import PASSWORD
from tests.prop.catalogue import make_group
from tests.support.exchange import make_firm_trader

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LISTS = (
    "challenges", "breaches", "traders", "accounts", "programs", "purchases", "groups", "payouts",
    "payers", "jobs", "keys", "redirects", "webhooks", "deliveries", "staff", "audit",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _database_beside_the_browser() -> Iterator[None]:
    """Playwright's loop runs in this thread until the database of a test is emptied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@pytest.fixture
def site(live_server: Any, staff: dict[str, User]) -> str:
    """Alpha's host with a trader, two groups and an Owner who has a password."""
    owner = staff["admin"]
    owner.set_password(PASSWORD)
    owner.save()
    make_firm_trader(external_id="acc-1")
    with enter_building("alpha"):
        make_group()
        make_group("FUNDED_USD", mode=1)
    port = live_server.url.rpartition(":")[2]
    return f"http://alpha.localhost:{port}"


def sign_in(page: Any, site: str) -> None:
    page.goto(f"{site}/backoffice/")
    page.get_by_label("E-mail").fill("admin@alpha.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/backoffice/")


def test_an_owner_walks_through_and_makes_a_program(page: Any, site: str) -> None:
    sign_in(page, site)
    page.get_by_role("link", name="Active accounts").click()
    page.get_by_role("heading", name="Accounts").wait_for()
    page.keyboard.press("/")
    page.keyboard.type("acc-1")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Account ").wait_for()
    page.goto(f"{site}/backoffice/programs/new/")
    page.get_by_label("Name", exact=True).fill("Walked 10K")
    loss = page.get_by_label("Maximum daily loss, phase 1")
    loss.fill("4")
    # 4 % of the group's $10,000, worked out while typing.
    page.locator("[data-money-of=step-0-max_daily_loss_pct]", has_text="$400").wait_for()
    page.locator("#program-aside", has_text="Walked 10K").wait_for()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("heading", name="Walked 10K").first.wait_for()
    with enter_building("alpha"):
        assert str(Program.objects.get().steps.get().max_daily_loss_pct.normalize()) == "4"


def test_no_list_is_wider_than_a_phone(phone_page: Any, site: str) -> None:
    sign_in(phone_page, site)
    for slug in ("", *(f"{name}/" for name in LISTS), "settings/", "staff/roles/", "programs/new/"):
        phone_page.goto(f"{site}/backoffice/{slug}")
        wide = phone_page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, slug
