"""The table of plans (accounts-api 3)."""

import time
from decimal import Decimal

import pytest

from wallets.billing.models import PlanTerms
from wallets.billing.selectors import clear_plan_terms, get_plan_terms, list_plan_terms

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_remembered():
    clear_plan_terms()
    yield
    clear_plan_terms()


def test_four_plans_stand_in_the_order_in_which_they_are_sold() -> None:
    assert [terms.plan for terms in list_plan_terms()] == ["free", "pro", "pro_plus", "enterprise"]


@pytest.mark.parametrize(
    ("plan", "per_second", "per_minute", "sockets", "batch", "keys"),
    [
        ("free", 2, 120, 1, 1, 5),
        ("pro", 30, 1800, 3, 5, 5),
        ("pro_plus", 60, 3600, 10, 10, 5),
        ("enterprise", 100, 6000, 50, 25, 25),
    ],
)
def test_limits_of_each_plan(
    plan: str, per_second: int, per_minute: int, sockets: int, batch: int, keys: int
) -> None:
    terms = get_plan_terms(plan)
    assert (terms.requests_per_second, terms.requests_per_minute) == (per_second, per_minute)
    assert (terms.max_websocket_connections, terms.max_batch_size) == (sockets, batch)
    assert terms.max_keys == keys


def test_only_the_free_plan_counts_orders_and_keeps_its_api_wallet() -> None:
    free, pro = get_plan_terms("free"), get_plan_terms("pro")
    assert (free.daily_order_limit, pro.daily_order_limit) == (100, None)
    assert (free.may_reset_api_wallet, pro.may_reset_api_wallet) == (False, True)
    assert (free.api_baseline, pro.api_baseline) == (Decimal(100), Decimal(10000))
    assert (free.main_free_resets_30d, pro.main_free_resets_30d) == (1, 4)


def test_a_changed_figure_holds_after_the_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    assert get_plan_terms("pro").max_keys == 5
    PlanTerms.objects.filter(plan="pro").update(max_keys=7)
    assert get_plan_terms("pro").max_keys == 5
    later_s = time.monotonic() + 6
    monkeypatch.setattr("wallets.billing.selectors.time.monotonic", lambda: later_s)
    assert get_plan_terms("pro").max_keys == 7


def test_an_unknown_plan_is_a_defect() -> None:
    with pytest.raises(KeyError):
        get_plan_terms("platinum")
