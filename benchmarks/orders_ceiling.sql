-- The ceiling of benchmarks/orders.py: the rows of one market buy, written by one function that
-- checks nothing, with the same tables, keys, triggers and commit.
CREATE OR REPLACE FUNCTION bench_order(p_wallet_id bigint, p_user_id bigint, p_market_id bigint,
  p_outcome_id bigint, p_answer jsonb, p_evidence jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_order_id bigint := nextval('trading_order_id_seq');
  v_fill_id bigint := nextval('trading_fill_id_seq');
  v_transaction_id bigint;
  v_balance numeric;
  v_at timestamptz := clock_timestamp();
BEGIN
  UPDATE wallets_wallet SET balance = balance - 3.33 WHERE id = p_wallet_id
    RETURNING balance INTO v_balance;
  INSERT INTO wallets_ledgertransaction (wallet_id, type, reference, memo, created_at)
    VALUES (p_wallet_id, 'BUY', 'fill:' || v_fill_id, '', v_at) RETURNING id INTO v_transaction_id;
  INSERT INTO wallets_ledgerentry (transaction_id, wallet_id, account, amount, balance_after)
    VALUES (v_transaction_id, p_wallet_id, 'CASH', -3.25, v_balance + 0.08),
      (v_transaction_id, p_wallet_id, 'TRADING', 3.25, NULL);
  INSERT INTO wallets_ledgertransaction (wallet_id, type, reference, memo, created_at)
    VALUES (p_wallet_id, 'FEE', 'fill:' || v_fill_id || ':fee', '', v_at)
    RETURNING id INTO v_transaction_id;
  INSERT INTO wallets_ledgerentry (transaction_id, wallet_id, account, amount, balance_after)
    VALUES (v_transaction_id, p_wallet_id, 'CASH', -0.08, v_balance),
      (v_transaction_id, p_wallet_id, 'FEES', 0.08, NULL);
  UPDATE trading_position SET quantity = quantity + 5, cost = cost + 3.25,
      average_price = round((cost + 3.25) / (quantity + 5), 12)
    WHERE wallet_id = p_wallet_id AND outcome_id = p_outcome_id AND status = 'OPEN';
  IF NOT FOUND THEN
    INSERT INTO trading_position (wallet_id, market_id, outcome_id, quantity, reserved_quantity,
        cost, average_price, realized_pnl, status, opened_at)
      VALUES (p_wallet_id, p_market_id, p_outcome_id, 5, 0, 3.25, 0.65, 0, 'OPEN', v_at);
  END IF;
  INSERT INTO trading_fill (id, order_id, wallet_id, market_id, outcome_id, side, price, quantity,
      notional, fee, liquidity, realized_pnl, match_key, evidence, created_at)
    VALUES (v_fill_id, v_order_id, p_wallet_id, p_market_id, p_outcome_id, 'BUY', 0.65, 5, 3.25,
      0.08, 'taker', 0, 'placed', p_evidence, v_at);
  INSERT INTO trading_order (id, wallet_id, user_id, market_id, outcome_id, side, type,
      time_in_force, price, quantity, filled_quantity, filled_notional, fee, average_price,
      is_post_only, status, cancelled_reason, idempotency_key, request_hash, answer, created_at,
      filled_at)
    VALUES (v_order_id, p_wallet_id, p_user_id, p_market_id, p_outcome_id, 'BUY', 'market', 'FOK',
      0.65, 5, 5, 3.25, 0.08, 0.65, false, 'FILLED', '', 'bench:' || v_order_id,
      repeat('0', 64), p_answer, v_at, v_at);
  RETURN v_order_id;
END $$;
