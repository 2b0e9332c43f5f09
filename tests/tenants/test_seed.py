"""`seed_demo`: the people of a demo installation, made once and kept."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from polysim.kernel.tenancy import enter_building
from prop.models import Program, PropSettings
from tenants.models import ApiKey, Domain, Firm, User
from wallets.models import Wallet

pytestmark = pytest.mark.django_db(transaction=True)

BASE_URL = "http://localhost:8123"


@pytest.fixture
def seed(tmp_path: Path, settings: Any, redis_client: Any) -> Any:
    """Run the command in a state folder of its own; answers demo.json."""
    settings.STATE_DIR = tmp_path

    def run() -> Any:
        call_command("seed_demo", base_url=BASE_URL)
        return json.loads((tmp_path / "demo.json").read_text())

    return run


def test_demo_json_names_everybody(seed: Any, tmp_path: Path) -> None:
    demo = seed()
    assert list(demo) == ["base_url", "admin", "trader", "bot_key", "firms"]
    assert demo["base_url"] == BASE_URL
    assert [firm["slug"] for firm in demo["firms"]] == ["alpha", "beta"]
    alpha = demo["firms"][0]
    assert (alpha["name"], alpha["host"]) == ("Alpha Prop", "alpha.localhost:8123")
    assert set(alpha["staff"]) == {"email", "password"}
    assert alpha["partner_key"].startswith("pst_live_")
    assert alpha["readonly_key"].startswith("pst_live_")
    roles = {"admin", "manager", "dealer", "crm_admin", "crm_manager", "viewer"}
    assert set(alpha["staff_roles"]) == roles
    assert alpha["staff_roles"]["admin"] == alpha["staff"]
    assert alpha["staff_roles"]["viewer"]["email"] == "viewer@alpha.example"
    assert alpha["trader"]["email"] == "trader@alpha.example"
    assert alpha["trader"]["external_id"] == "demo-trader"
    assert alpha["trader"]["user_id"] > 0
    assert alpha["firm_api"] is None
    assert stat.S_IMODE((tmp_path / "demo.json").stat().st_mode) == 0o600


def test_both_firms_sell_two_programs_and_give_their_traders_a_payer_account(seed: Any) -> None:
    seed()
    for schema in ("alpha", "beta"):
        with enter_building(schema):
            names = Program.objects.order_by("sort_index").values_list("name", flat=True)
            assert list(names) == ["Starter 10K", "Two-Step 50K"]
            settings = PropSettings.objects.get()
            assert settings.payer_group is not None
            assert settings.payer_group.public_opening


def test_the_partner_key_of_the_demo_reads_its_trader(seed: Any) -> None:
    alpha = seed()["firms"][0]
    headers = {"X-API-Key": alpha["partner_key"]}
    answer = Client().get(f"/v1/partner/users/{alpha['trader']['user_id']}", headers=headers)
    assert answer.json()["external_id"] == "demo-trader"
    assert answer.json()["accounts"]["active"] == 1


def test_a_second_run_changes_nothing(seed: Any) -> None:
    first = seed()
    users, keys, firms = User.objects.count(), ApiKey.objects.count(), Firm.objects.count()
    assert seed() == first
    assert (User.objects.count(), ApiKey.objects.count(), Firm.objects.count()) == (
        users,
        keys,
        firms,
    )
    assert Domain.objects.filter(domain="alpha.localhost").count() == 1


def test_a_lost_demo_json_gives_new_secrets_to_the_same_people(seed: Any, tmp_path: Path) -> None:
    first = seed()
    (tmp_path / "demo.json").unlink()
    second = seed()
    assert second["trader"]["email"] == first["trader"]["email"]
    assert second["trader"]["password"] != first["trader"]["password"]
    assert second["bot_key"] != first["bot_key"]
    assert ApiKey.objects.filter(is_active=True).count() == 1


def test_the_trader_is_on_pro_with_three_wallets(seed: Any) -> None:
    demo = seed()
    user = User.objects.get(email=demo["trader"]["email"])
    assert user.plan == "pro"
    with enter_building("retail"):
        wallets = Wallet.objects.filter(user=user).order_by("kind")
        assert [(wallet.kind, f"{wallet.balance:.2f}") for wallet in wallets] == [
            ("API", "10000.00"),
            ("MAIN", "1000.00"),
            ("SANDBOX", "10000.00"),
        ]


def test_everybody_gets_in(seed: Any) -> None:
    demo = seed()
    alpha = demo["firms"][0]
    for person, host in (
        (demo["trader"], "localhost"),
        (demo["admin"], "localhost"),
        (alpha["staff"], "alpha.localhost"),
    ):
        client = Client(headers={"host": host})
        form = {"login": person["email"], "password": person["password"]}
        assert client.post("/login/", form).status_code == 302
        assert "_auth_user_id" in client.session
    assert User.objects.get(email=demo["admin"]["email"]).is_superuser
    bot = Client(headers={"X-API-Key": demo["bot_key"]})
    answer = bot.post("/v1/keys/ws-token")
    assert (answer.status_code, answer["X-RateLimit-Tier"]) == (200, "pro")
    assert ApiKey.objects.get().permissions == ["read", "trade"]
