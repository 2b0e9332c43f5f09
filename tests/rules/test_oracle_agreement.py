"""Ten thousand random histories: arrays kept by fills and ticks agree with the Decimal oracle."""

from tests.rules.histories import Histories

HISTORIES = 10_000
STEPS = 10
SEED = 20_261_127


def test_ten_thousand_random_histories_end_as_the_oracle_says() -> None:
    histories = Histories(HISTORIES, SEED)
    for _ in range(STEPS):
        histories.step()

    # Every rule decided somewhere, so that the agreement says something about each.
    assert set(histories.verdicts) == {"passed", "failed", "ended"}
    assert set(histories.warned) == {"max_total_loss_pct", "max_daily_loss_pct"}
    assert set(histories.rules) >= {
        "max_total_loss_pct",
        "max_daily_loss_pct",
        "max_daily_profit_pct",
        "max_positions",
        "max_exposure_market_pct",
        "max_exposure_event_pct",
        "profit_target_pct",
        "max_trading_days",
        "max_inactive_days",
        "duration_days",
        "min_trading_days",
        "min_profitable_days",
    }
