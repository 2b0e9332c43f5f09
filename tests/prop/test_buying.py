"""Buying a challenge at the door, from the money to the first phase (prop-client 3, 4)."""

from decimal import Decimal
from typing import Any

import pytest

from polysim.kernel.tenancy import enter_building
from prop.models import Challenge, ChallengePhase, DailySnapshot, PropAccount, Purchase
from tests.prop.catalogue import make_program
from tests.prop.trader import PropDoor, balance_of, make_customer, make_payer
from wallets.models import FirmAccount, LedgerTransaction
from wallets.selectors import check_conservation

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(in_alpha: Any) -> Any:
    """Alpha with one program, a customer and 250 dollars."""

    class Shop:
        customer = make_customer()
        program = make_program()
        payer = make_payer(customer, "250")
        door = PropDoor(customer)

    return Shop


def test_a_bought_challenge_is_active_with_its_first_phase(shop: Any) -> None:
    answer = shop.door.buy(shop.program.pk, shop.payer.pk, "k-2026-11-20-a")

    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["accepted"] is True
    assert body["idempotent"] is False
    purchase, challenge = body["purchase"], body["challenge"]
    assert purchase["status"] == 3
    assert purchase["status_name"] == "active"
    assert purchase["next_action"] == "OPEN_CHALLENGE"
    assert purchase["amount"] == 99.0
    assert purchase["currency"] == "USD"
    assert purchase["payment_status"] == "paid"
    assert purchase["activation_status"] == "active"
    assert purchase["comment"] == "PROP_CHALLENGE_PURCHASE_ACTIVE"
    assert purchase["idempotency_key"] == "k-2026-11-20-a"
    assert challenge["status"] == 1
    assert challenge["current_phase_index"] == 1
    assert challenge["account_login"] == purchase["account_login"] > 0
    assert balance_of(shop.payer.pk) == Decimal("151")
    assert balance_of(challenge["account_login"]) == Decimal("10000")
    with enter_building("alpha"):
        account = FirmAccount.objects.get(pk=challenge["account_login"])
        assert account.stage == "challenge"
        assert account.is_managed
        assert account.starting_balance == Decimal("10000")
        phase = ChallengePhase.objects.get(challenge_id=challenge["id"])
        assert phase.status == 1
        assert phase.start_at is not None
        assert phase.initial_balance == phase.initial_equity == Decimal("10000")
        day = DailySnapshot.objects.get(phase=phase)
        assert day.daily_start_equity == day.max_equity == Decimal("10000")
        references = set(LedgerTransaction.objects.values_list("reference", flat=True))
        for step in ("fee", "deposit"):
            assert f"purchase:{purchase['id']}:{step}" in references
        assert PropAccount.objects.filter(key=f"purchase:{purchase['id']}:account").count() == 1
        assert check_conservation().is_sound


def test_the_challenge_is_shown_in_full(shop: Any) -> None:
    bought = shop.door.buy(shop.program.pk, shop.payer.pk).json()

    answer = shop.door.get(f"challenges/{bought['challenge']['id']}")

    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["challenge"]["id"] == bought["challenge"]["id"]
    assert body["purchase"]["id"] == bought["purchase"]["id"]
    assert [step["phase_index"] for step in body["program"]["steps"]] == [1, 2]
    assert body["current_phase"] == body["phases"][0]
    assert body["latest_metric"] is None
    assert body["latest_breach"] is None
    progress = body["current_phase"]["progress"]
    assert progress["profit_pct"] == 0
    assert progress["profit_target_pct"] == 8
    assert progress["daily_loss_floor"] == 9500
    assert progress["total_loss_floor"] == 9000
    assert progress["days_left"] == 30
    assert progress["open_positions"] == 0


def test_the_same_program_can_be_bought_twice(shop: Any) -> None:
    first = shop.door.buy(shop.program.pk, shop.payer.pk).json()
    second = shop.door.buy(shop.program.pk, shop.payer.pk).json()

    assert first["challenge"]["id"] != second["challenge"]["id"]
    assert balance_of(shop.payer.pk) == Decimal("52")
    with enter_building("alpha"):
        assert Challenge.objects.count() == Purchase.objects.count() == 2
