-- Cancelling and expiring resting orders of one user: one at a time by their owner, many by a
-- sweep (cancel-all, GTD, market end, heartbeat, reset). Atomic against fills: both take the
-- user's lock, so an order is either filled or released (trading-api 4.5).

-- {"user_id", "order_id", "wallet_ids" (null = any of the user's), "reason", "now", "wait_ms"}
-- Answers {"order": {...}} or {"refused": ORDER_NOT_FOUND | ORDER_NOT_CANCELLABLE |
-- TRADE_IN_PROGRESS, "status": ...}.
CREATE FUNCTION cancel_order(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_user_id bigint := (request->>'user_id')::bigint;
  v_order trading_order;
  v_order_id bigint := (request->>'order_id')::bigint;
BEGIN
  IF lock_user(v_user_id, (request->>'wait_ms')::integer) < 0 THEN
    RETURN jsonb_build_object('refused', 'TRADE_IN_PROGRESS');
  END IF;
  PERFORM FROM wallets_wallet WHERE id = (SELECT wallet_id FROM trading_order
    WHERE id = v_order_id AND user_id = v_user_id) FOR UPDATE;
  SELECT * INTO v_order FROM trading_order WHERE id = v_order_id AND user_id = v_user_id
    AND (request->>'wallet_ids' IS NULL OR request->'wallet_ids' @> to_jsonb(wallet_id))
    FOR UPDATE;
  IF v_order.id IS NULL THEN
    RETURN jsonb_build_object('refused', 'ORDER_NOT_FOUND');
  ELSIF v_order.status <> 'PENDING' THEN
    RETURN jsonb_build_object('refused', 'ORDER_NOT_CANCELLABLE', 'status', v_order.status);
  END IF;
  PERFORM end_order(v_order, 'CANCELLED', request->>'reason', (request->>'now')::timestamptz);
  RETURN jsonb_build_object('order', describe_ended(v_order));
END $$;

-- What callers need of an ended order to answer and to tell its owner.
CREATE FUNCTION describe_ended(v_order trading_order) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object(
    'order_id', v_order.id, 'wallet_id', v_order.wallet_id, 'market_id', v_order.market_id,
    'outcome_id', v_order.outcome_id, 'side', v_order.side, 'type', v_order.type,
    'time_in_force', v_order.time_in_force, 'price', v_order.price::text,
    'quantity', v_order.quantity::text, 'filled_quantity', v_order.filled_quantity::text,
    'client_order_id', v_order.client_order_id,
    'account_balance', (SELECT round(balance, 2)::text FROM wallets_wallet
      WHERE id = v_order.wallet_id))
$$;

-- {"user_id", "wallet_ids", "order_ids", "market_id", "outcome_id", "due_at" (GTD orders expired
-- by then), each null = no such condition; "status", "reason", "now", "wait_ms"}. Orders in other
-- states are left alone. Answers {"ended": [...]} or {"refused": "TRADE_IN_PROGRESS"}.
CREATE FUNCTION end_orders(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_user_id bigint := (request->>'user_id')::bigint;
  v_order trading_order;
  v_ended jsonb := '[]'::jsonb;
  v_ids bigint[];
BEGIN
  IF lock_user(v_user_id, (request->>'wait_ms')::integer) < 0 THEN
    RETURN jsonb_build_object('refused', 'TRADE_IN_PROGRESS');
  END IF;
  SELECT array_agg(id) INTO v_ids FROM trading_order WHERE user_id = v_user_id
    AND status = 'PENDING'
    AND (request->>'order_ids' IS NULL OR request->'order_ids' @> to_jsonb(id))
    AND (request->>'wallet_ids' IS NULL OR request->'wallet_ids' @> to_jsonb(wallet_id))
    AND (request->>'market_id' IS NULL OR market_id = (request->>'market_id')::bigint)
    AND (request->>'outcome_id' IS NULL OR outcome_id = (request->>'outcome_id')::bigint)
    AND (request->>'due_at' IS NULL OR expires_at <= (request->>'due_at')::timestamptz);
  PERFORM FROM wallets_wallet WHERE id IN (SELECT wallet_id FROM trading_order
    WHERE id = ANY (v_ids)) ORDER BY id FOR UPDATE;
  FOR v_order IN SELECT * FROM trading_order WHERE id = ANY (v_ids) AND status = 'PENDING'
      ORDER BY id FOR UPDATE LOOP
    PERFORM end_order(
      v_order, request->>'status', request->>'reason', (request->>'now')::timestamptz);
    v_ended := v_ended || jsonb_build_array(describe_ended(v_order));
  END LOOP;
  RETURN jsonb_build_object('ended', v_ended);
END $$;
