-- Settling a position at its market's result, and correcting that later (trading-api 9).

-- The first settlement of an open position: its resting orders expire, it is paid and closed.
CREATE OR REPLACE FUNCTION settle_open_position(request jsonb, v_position trading_position)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_at timestamptz := (request->>'now')::timestamptz;
  v_share numeric := (request->>'payout_per_share')::numeric;
  v_payout numeric := round(v_position.quantity * v_share, 2);
  v_order trading_order;
BEGIN
  FOR v_order IN SELECT * FROM trading_order WHERE wallet_id = v_position.wallet_id
      AND market_id = v_position.market_id AND status = 'PENDING' ORDER BY id FOR UPDATE LOOP
    PERFORM end_order(v_order, 'EXPIRED', 'market_closed', v_at);
  END LOOP;
  PERFORM post_ledger(v_position.wallet_id, 'SETTLEMENT',
    format('settlement:%s:v%s', v_position.id, request->>'version'), '', v_at,
    v_payout, 0, 'SETTLEMENT');
  INSERT INTO trading_settlement (position_id, wallet_id, market_id, version, quantity,
      average_price, cost, payout_per_share, payout, realized_pnl, result, settled_at)
    VALUES (v_position.id, v_position.wallet_id, v_position.market_id,
      (request->>'version')::integer, v_position.quantity, v_position.average_price,
      v_position.cost, v_share, v_payout, v_payout - v_position.cost, request->>'result', v_at);
  UPDATE trading_position SET quantity = 0, reserved_quantity = 0, cost = 0, status = 'CLOSED',
      closed_at = v_at, realized_pnl = realized_pnl + v_payout - v_position.cost
    WHERE id = v_position.id;
  RETURN jsonb_build_object('paid', v_payout::text, 'quantity', v_position.quantity::text);
END $$;

-- A later version: what is missing to the new payout is posted, the first settlement stays as it
-- was. A clawback takes at most the free cash that is left (cash never falls below zero); a later
-- version counts from what was really paid. A wallet that was reset or archived since the position
-- closed keeps nothing of the old money, so nothing is posted to it.
CREATE OR REPLACE FUNCTION correct_settlement(
  request jsonb, v_position trading_position, v_former trading_settlement, v_wallet wallets_wallet
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_at timestamptz := (request->>'now')::timestamptz;
  v_share numeric := (request->>'payout_per_share')::numeric;
  v_payout numeric := round(v_former.quantity * v_share, 2);
  v_paid numeric;
  v_moved numeric := 0;
BEGIN
  IF v_wallet.status <> 'ARCHIVED' AND (v_wallet.reset_at > v_position.closed_at) IS NOT TRUE THEN
    SELECT COALESCE(sum(e.amount), 0) INTO v_paid FROM wallets_ledgertransaction t
      JOIN wallets_ledgerentry e ON e.transaction_id = t.id AND e.account = 'CASH'
      WHERE t.reference IN (SELECT format('settlement:%s:v%s', v_position.id, earlier)
        FROM generate_series(1, v_former.version) AS earlier);
    v_moved := greatest(v_payout - v_paid, -v_wallet.balance);
  END IF;
  PERFORM post_ledger(v_position.wallet_id, 'SETTLEMENT',
    format('settlement:%s:v%s', v_position.id, request->>'version'), 'Corrected result', v_at,
    v_moved, 0, 'SETTLEMENT');
  INSERT INTO trading_settlement (position_id, wallet_id, market_id, version, quantity,
      average_price, cost, payout_per_share, payout, realized_pnl, result, settled_at)
    VALUES (v_position.id, v_position.wallet_id, v_position.market_id,
      (request->>'version')::integer, v_former.quantity, v_former.average_price, v_former.cost,
      v_share, v_payout, v_payout - v_former.cost, request->>'result', v_at);
  UPDATE trading_position SET realized_pnl = realized_pnl + v_payout - v_former.payout
    WHERE id = v_position.id;
  RETURN jsonb_build_object('paid', v_moved::text, 'quantity', v_former.quantity::text);
END $$;

-- {"position_id", "version", "payout_per_share", "result", "now", "wait_ms"}. Pays once per
-- position and version. Answers {"settled": {"paid", "quantity"}} or {"refused": reason}.
CREATE OR REPLACE FUNCTION settle_position(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_position_id bigint := (request->>'position_id')::bigint;
  v_version integer := (request->>'version')::integer;
  v_position trading_position;
  v_wallet wallets_wallet;
  v_former trading_settlement;
BEGIN
  SELECT w.* INTO v_wallet FROM wallets_wallet w JOIN trading_position p ON p.wallet_id = w.id
    WHERE p.id = v_position_id;
  IF lock_user(v_wallet.user_id, (request->>'wait_ms')::integer) < 0 THEN
    RETURN jsonb_build_object('refused', 'busy');
  END IF;
  SELECT * INTO v_wallet FROM wallets_wallet WHERE id = v_wallet.id FOR UPDATE;
  SELECT * INTO v_position FROM trading_position WHERE id = v_position_id FOR UPDATE;
  SELECT * INTO v_former FROM trading_settlement WHERE position_id = v_position_id
    ORDER BY version DESC LIMIT 1;
  IF v_former.version >= v_version THEN
    RETURN jsonb_build_object('refused', 'already');
  ELSIF v_wallet.trading_state = 'CLOSED' THEN
    -- A closed firm account keeps its closing figures: nothing is paid to it (partner-api 8).
    RETURN jsonb_build_object('refused', 'account_closed');
  ELSIF v_former.id IS NOT NULL THEN
    RETURN jsonb_build_object('settled',
      correct_settlement(request, v_position, v_former, v_wallet));
  ELSIF v_position.status <> 'OPEN' THEN
    RETURN jsonb_build_object('refused', 'not_open');
  END IF;
  RETURN jsonb_build_object('settled', settle_open_position(request, v_position));
END $$;
