DROP FUNCTION settle_position(jsonb);
DROP FUNCTION correct_settlement(
  jsonb, trading_position, trading_settlement, wallets_wallet);
DROP FUNCTION settle_open_position(jsonb, trading_position);
