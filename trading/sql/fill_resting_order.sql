-- A fill of a resting order, by the matcher (trading-api 7.3, 8).

-- Takes cash for a filled part of a resting buy out of its hold. What the hold has more than the
-- rest still needs (limit x remaining, up to cents) goes back to free cash. Where rounding makes
-- part and rest one cent dearer than the hold, free cash pays it, or the part is a cent cheaper.
-- Answers the notional taken.
CREATE OR REPLACE FUNCTION capture_hold(
  v_order trading_order, p_fill_id bigint, p_notional numeric, p_rest numeric, p_at timestamptz
) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  v_reference text := 'order:' || v_order.id;
  v_held numeric;
  v_free numeric;
  v_new_hold numeric := ceil(v_order.price * p_rest * 100) / 100;
  v_over numeric;
BEGIN
  SELECT amount INTO v_held FROM wallets_hold WHERE reference = v_reference FOR UPDATE;
  SELECT balance INTO v_free FROM wallets_wallet WHERE id = v_order.wallet_id;
  v_over := v_held - v_new_hold - p_notional;
  IF v_over < 0 AND v_free < -v_over THEN
    p_notional := p_notional + v_over;
    v_over := 0;
  END IF;
  PERFORM post_ledger(v_order.wallet_id, 'BUY', format('fill:%s', p_fill_id), '', p_at,
    0, -p_notional, 'TRADING');
  PERFORM post_ledger(v_order.wallet_id, CASE WHEN v_over < 0 THEN 'RESERVE' ELSE 'RELEASE' END,
    format('fill:%s:hold', p_fill_id), '', p_at, v_over, -v_over, 'TRADING');
  UPDATE wallets_hold SET amount = v_new_hold, released_at = CASE WHEN p_rest = 0 THEN p_at END
    WHERE reference = v_reference;
  RETURN p_notional;
END $$;

-- Why this order cannot be filled now, or NULL. `already` is a repeat of a fill that exists.
CREATE OR REPLACE FUNCTION refuse_resting_fill(
  request jsonb, v_order trading_order, v_wallet wallets_wallet
) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE
    WHEN v_order.id IS NULL THEN 'gone'
    WHEN EXISTS (SELECT FROM trading_fill WHERE order_id = v_order.id
      AND match_key = request->>'match_key') THEN 'already'
    WHEN v_order.status <> 'PENDING' THEN 'not_open'
    WHEN v_order.expires_at <= (request->>'now')::timestamptz THEN 'expired'
    WHEN v_order.quantity - v_order.filled_quantity < (request->>'quantity')::numeric
      THEN 'less_left'
    WHEN v_wallet.status <> 'ACTIVE' OR v_wallet.trading_state <> 'OPEN' THEN 'wallet_not_active'
    WHEN NOT is_market_open(v_order.market_id) THEN 'market_closed'
  END
$$;

-- Writes the fill's money, position and row; answers the row.
CREATE OR REPLACE FUNCTION write_resting_fill(request jsonb, v_order trading_order, p_rest numeric)
RETURNS trading_fill LANGUAGE plpgsql AS $$
DECLARE
  v_at timestamptz := (request->>'now')::timestamptz;
  v_quantity numeric := (request->>'quantity')::numeric;
  v_exact numeric := (request->>'exact_notional')::numeric;
  v_notional numeric := round(v_exact, 2);
  v_fee numeric := (request->>'fee')::numeric;
  v_fill trading_fill;
  v_applied record;
BEGIN
  v_fill.id := nextval('trading_fill_id_seq');
  IF v_order.side = 'BUY' THEN
    v_notional := capture_hold(v_order, v_fill.id, v_notional, p_rest, v_at);
  ELSE
    PERFORM post_ledger(v_order.wallet_id, 'SELL', format('fill:%s', v_fill.id), '', v_at,
      v_notional, 0, 'TRADING');
  END IF;
  -- A taker fee of a resting order is capped at free cash (trading-api 8).
  v_fee := least(v_fee, (SELECT balance FROM wallets_wallet WHERE id = v_order.wallet_id));
  IF v_fee > 0 THEN
    PERFORM post_ledger(v_order.wallet_id, 'FEE', format('fill:%s:fee', v_fill.id), '', v_at,
      -v_fee, 0, 'FEES');
  END IF;
  SELECT * INTO v_applied FROM apply_fill(v_order.wallet_id, v_order.market_id,
    v_order.outcome_id, v_order.side, v_quantity, v_exact, v_at, true);
  INSERT INTO trading_fill (id, order_id, wallet_id, market_id, outcome_id, side, price, quantity,
      notional, fee, liquidity, realized_pnl, placed_by, match_key, evidence, created_at)
    VALUES (v_fill.id, v_order.id, v_order.wallet_id, v_order.market_id, v_order.outcome_id,
      v_order.side, (request->>'price')::numeric, v_quantity, v_notional, v_fee,
      request->>'liquidity', v_applied.v_realized, v_order.placed_by, request->>'match_key',
      request->'evidence', v_at)
    RETURNING * INTO v_fill;
  RETURN v_fill;
END $$;

-- {"order_id", "match_key", "quantity", "price" (12 places), "exact_notional", "fee",
-- "liquidity", "evidence", "now", "wait_ms"}. Fills part or all of one resting order, once per
-- match key. Answers {"fill": {...}} or {"refused": reason} with nothing changed.
CREATE OR REPLACE FUNCTION fill_resting_order(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_order_id bigint := (request->>'order_id')::bigint;
  v_order trading_order;
  v_wallet wallets_wallet;
  v_fill trading_fill;
  v_refused text;
  v_rest numeric;
BEGIN
  SELECT * INTO v_order FROM trading_order WHERE id = v_order_id;
  IF lock_user(v_order.user_id, (request->>'wait_ms')::integer) < 0 THEN
    RETURN jsonb_build_object('refused', 'busy');
  END IF;
  SELECT * INTO v_wallet FROM wallets_wallet WHERE id = v_order.wallet_id FOR UPDATE;
  SELECT * INTO v_order FROM trading_order WHERE id = v_order_id FOR UPDATE;
  v_refused := refuse_resting_fill(request, v_order, v_wallet);
  IF v_refused IS NOT NULL THEN
    RETURN jsonb_build_object('refused', v_refused);
  END IF;
  v_rest := v_order.quantity - v_order.filled_quantity - (request->>'quantity')::numeric;
  v_fill := write_resting_fill(request, v_order, v_rest);
  UPDATE trading_order SET filled_quantity = filled_quantity + v_fill.quantity,
      filled_notional = filled_notional + v_fill.notional, fee = fee + v_fill.fee,
      average_price = round((COALESCE(average_price, 0) * filled_quantity
        + v_fill.price * v_fill.quantity) / (filled_quantity + v_fill.quantity), 12),
      status = CASE WHEN v_rest = 0 THEN 'FILLED' ELSE 'PENDING' END,
      filled_at = CASE WHEN v_rest = 0 THEN v_fill.created_at END
    WHERE id = v_order_id RETURNING * INTO v_order;
  RETURN jsonb_build_object('fill', jsonb_build_object(
    'trade_id', v_fill.id, 'order_id', v_order.id, 'user_id', v_order.user_id,
    'wallet_id', v_order.wallet_id, 'outcome_id', v_order.outcome_id, 'side', v_order.side,
    'price', v_fill.price::text, 'quantity', v_fill.quantity::text,
    'notional', v_fill.notional::text, 'fee', v_fill.fee::text, 'liquidity', v_fill.liquidity,
    'order_status', v_order.status, 'filled_quantity', v_order.filled_quantity::text,
    'client_order_id', v_order.client_order_id));
END $$;
