-- Positions and holds: the parts that orders, fills and settlements share.

CREATE TRIGGER fill_is_append_only BEFORE UPDATE OR DELETE
  ON trading_fill FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER settlement_is_append_only BEFORE UPDATE OR DELETE
  ON trading_settlement FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Whether the venue still takes orders on a market and no result is known.
CREATE FUNCTION is_market_open(p_market_id bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM markets_market m
    WHERE m.id = p_market_id AND m.is_active AND NOT m.is_closed AND NOT m.is_archived
      AND NOT m.is_hidden AND m.is_order_book_enabled AND m.is_accepting_orders
      AND NOT EXISTS (SELECT FROM markets_marketresolution r WHERE r.market_id = m.id)
  )
$$;

-- Adds one fill to the open position of (wallet, outcome) and answers that row.
-- BUY: the cost grows by the exact notional (6 places), the average is cost / shares (12 places).
-- SELL: the cost falls in proportion, the average stays, realised is proceeds less that cost; a
-- position without shares is closed. p_is_reserved: the shares sold were behind a resting sell.
-- The caller holds the user's lock. trading-api 9.
CREATE FUNCTION apply_fill(
  p_wallet_id bigint, p_market_id bigint, p_outcome_id bigint, p_side text, p_quantity numeric,
  p_exact_notional numeric, p_at timestamptz, p_is_reserved boolean,
  OUT v_position trading_position, OUT v_realized numeric
) LANGUAGE plpgsql AS $$
DECLARE
  v_cost numeric := round(p_exact_notional, 6);
BEGIN
  SELECT * INTO v_position FROM trading_position
    WHERE wallet_id = p_wallet_id AND outcome_id = p_outcome_id AND status = 'OPEN' FOR UPDATE;
  v_realized := 0;
  IF p_side = 'BUY' AND v_position.id IS NULL THEN
    INSERT INTO trading_position (wallet_id, market_id, outcome_id, quantity, reserved_quantity,
        cost, average_price, realized_pnl, status, opened_at)
      VALUES (p_wallet_id, p_market_id, p_outcome_id, p_quantity, 0, v_cost,
        round(v_cost / p_quantity, 12), 0, 'OPEN', p_at)
      RETURNING * INTO v_position;
  ELSIF p_side = 'BUY' THEN
    UPDATE trading_position SET quantity = quantity + p_quantity, cost = cost + v_cost,
        average_price = round((cost + v_cost) / (quantity + p_quantity), 12)
      WHERE id = v_position.id RETURNING * INTO v_position;
  ELSE
    v_cost := CASE WHEN v_position.quantity = p_quantity THEN v_position.cost
      ELSE round(v_position.cost * p_quantity / v_position.quantity, 6) END;
    v_realized := round(p_exact_notional, 6) - v_cost;
    UPDATE trading_position SET quantity = quantity - p_quantity, cost = cost - v_cost,
        reserved_quantity = reserved_quantity - CASE WHEN p_is_reserved THEN p_quantity ELSE 0 END,
        realized_pnl = realized_pnl + v_realized,
        status = CASE WHEN quantity = p_quantity THEN 'CLOSED' ELSE 'OPEN' END,
        closed_at = CASE WHEN quantity = p_quantity THEN p_at END
      WHERE id = v_position.id RETURNING * INTO v_position;
  END IF;
END $$;

-- Ends a resting order: the unfilled hold goes back to cash, or the unfilled shares become free.
-- The caller holds the user's lock and has locked the order's row.
CREATE FUNCTION end_order(
  v_order trading_order, p_status text, p_reason text, p_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_held numeric;
BEGIN
  IF v_order.side = 'BUY' THEN
    SELECT amount INTO v_held FROM wallets_hold WHERE reference = 'order:' || v_order.id;
    UPDATE wallets_hold SET amount = 0, released_at = p_at
      WHERE reference = 'order:' || v_order.id;
    PERFORM post_ledger(v_order.wallet_id, 'RELEASE', format('order:%s:release', v_order.id), '',
      p_at, v_held, -v_held, 'TRADING');
  ELSE
    UPDATE trading_position
      SET reserved_quantity = reserved_quantity - (v_order.quantity - v_order.filled_quantity)
      WHERE wallet_id = v_order.wallet_id AND outcome_id = v_order.outcome_id AND status = 'OPEN';
  END IF;
  UPDATE trading_order SET status = p_status, cancelled_reason = p_reason, cancelled_at = p_at
    WHERE id = v_order.id;
END $$;
