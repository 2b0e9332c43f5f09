-- place_order: one statement, one transaction, the whole write of an order (trading-api 4.1, 9).
-- Python has validated and matched before; what only the rows can decide is decided here, in the
-- contract's order: idempotency, user lock, wallet, Python's own refusal, shares and cash, matching.

-- The answer of an earlier request with this key, or why the key cannot be used; NULL = it is new.
CREATE OR REPLACE FUNCTION find_earlier_order(
  p_user_id bigint, p_key text, p_client_order_id text, p_request_hash text
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_earlier record;
BEGIN
  IF p_key IS NOT NULL THEN
    SELECT answer, request_hash INTO v_earlier FROM trading_order
      WHERE user_id = p_user_id AND idempotency_key = p_key;
    IF FOUND AND v_earlier.request_hash <> p_request_hash THEN
      RETURN jsonb_build_object('refused', 'IDEMPOTENCY_KEY_REUSE');
    ELSIF FOUND THEN
      RETURN jsonb_build_object('answer', v_earlier.answer || '{"is_replay": true,
        "spread_bps": null, "impact_bps": null, "book_walk_levels": null}'::jsonb);
    END IF;
  END IF;
  IF p_client_order_id IS NOT NULL AND EXISTS (SELECT FROM trading_order
      WHERE user_id = p_user_id AND client_order_id = p_client_order_id) THEN
    RETURN jsonb_build_object('refused', 'DUPLICATE_CLIENT_ORDER_ID');
  END IF;
  RETURN NULL;
END $$;

-- Why this wallet may not be traded by this credential, or NULL.
CREATE OR REPLACE FUNCTION refuse_wallet(v_wallet wallets_wallet, p_is_key boolean) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN v_wallet.id IS NULL OR v_wallet.status = 'DELETED' THEN 'WALLET_NOT_FOUND'
    WHEN p_is_key AND v_wallet.kind NOT IN ('API', 'SANDBOX') THEN 'WALLET_READ_ONLY'
    WHEN v_wallet.trading_state = 'CLOSED' THEN 'ACCOUNT_CLOSED'
    WHEN v_wallet.status <> 'ACTIVE' THEN 'WALLET_FROZEN'
    WHEN v_wallet.trading_state = 'READ_ONLY' THEN 'ACCOUNT_READ_ONLY'
  END
$$;

-- Takes the key's lock, looks for an earlier order, takes the user's lock and looks again (the
-- earlier one may have committed meanwhile). NULL = go on, in sole possession of the user's money.
CREATE OR REPLACE FUNCTION begin_order(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_user_id bigint := (request->>'user_id')::bigint;
  v_key text := request->>'key';
  v_waited_ms integer;
  v_earlier jsonb;
BEGIN
  IF v_key IS NOT NULL AND NOT pg_try_advisory_xact_lock(
      hashtextextended(v_user_id || ':' || v_key, 0)) THEN
    RETURN jsonb_build_object('refused', 'IDEMPOTENCY_CONFLICT_PENDING');
  END IF;
  v_earlier := find_earlier_order(
    v_user_id, v_key, request->>'client_order_id', request->>'request_hash');
  IF v_earlier IS NOT NULL THEN
    RETURN v_earlier;
  END IF;
  v_waited_ms := lock_user(v_user_id, (request->>'wait_ms')::integer);
  IF v_waited_ms < 0 THEN
    RETURN jsonb_build_object('refused', 'TRADE_IN_PROGRESS');
  ELSIF v_waited_ms > 0 THEN
    v_earlier := find_earlier_order(
      v_user_id, v_key, request->>'client_order_id', request->>'request_hash');
    IF v_earlier IS NULL AND v_waited_ms > (request->>'rematch_after_ms')::integer THEN
      RETURN jsonb_build_object('rematch', true);
    END IF;
  END IF;
  RETURN v_earlier;
END $$;

-- Why the wallet's shares or cash do not carry this order, or NULL. The row locks are taken here:
-- wallet first (by the caller), then the position.
CREATE OR REPLACE FUNCTION refuse_funds(request jsonb, v_wallet wallets_wallet) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  v_free numeric;
BEGIN
  IF request->>'side' = 'BUY' THEN
    RETURN CASE WHEN v_wallet.balance < (request->>'cash_needed')::numeric
      THEN 'INSUFFICIENT_BALANCE' END;
  END IF;
  SELECT quantity - reserved_quantity INTO v_free FROM trading_position
    WHERE wallet_id = v_wallet.id AND outcome_id = (request->>'outcome_id')::bigint
      AND status = 'OPEN' FOR UPDATE;
  RETURN CASE WHEN COALESCE(v_free, 0) < (request->>'shares_needed')::numeric
    THEN 'INSUFFICIENT_POSITION' END;
END $$;

-- A firm account may be limited to some open positions at once: the buy that would open one more
-- is refused; resting buys of other outcomes count as positions to be (prop-backoffice 2).
CREATE OR REPLACE FUNCTION refuse_new_position(request jsonb, p_wallet_id bigint) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  v_max integer;
  v_outcome_id bigint := (request->>'outcome_id')::bigint;
BEGIN
  IF request->>'side' <> 'BUY' THEN
    RETURN NULL;
  END IF;
  SELECT positions_max INTO v_max FROM wallets_firmaccount WHERE wallet_id = p_wallet_id;
  IF COALESCE(v_max, 0) = 0 THEN
    RETURN NULL;
  END IF;
  RETURN (SELECT CASE WHEN count(*) >= v_max THEN 'POSITION_LIMIT_REACHED' END FROM (
    SELECT outcome_id FROM trading_position WHERE wallet_id = p_wallet_id AND status = 'OPEN'
    UNION
    SELECT outcome_id FROM trading_order WHERE wallet_id = p_wallet_id AND status = 'PENDING'
      AND side = 'BUY') AS held
    HAVING NOT bool_or(held.outcome_id = v_outcome_id));
END $$;

-- The whole chain of refusals after the locks; NULL = the order is accepted.
CREATE OR REPLACE FUNCTION refuse_order(request jsonb, v_wallet wallets_wallet) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
  v_refused text;
BEGIN
  v_refused := refuse_wallet(v_wallet, (request->>'is_key')::boolean);
  -- Polysim itself sells what a read-only account still holds (prop-backoffice 6.6).
  IF v_refused = 'ACCOUNT_READ_ONLY' AND request->>'placed_by' = 'system'
      AND request->>'side' = 'SELL' THEN
    v_refused := NULL;
  END IF;
  IF v_refused IS NULL AND request->>'daily_limit' IS NOT NULL AND (request->>'daily_limit')::bigint
      <= (SELECT count(*) FROM (SELECT FROM trading_order
        WHERE wallet_id IN (SELECT id FROM wallets_wallet
            WHERE user_id = v_wallet.user_id AND kind IN ('API', 'SANDBOX'))
          AND created_at >= (request->>'day_start')::timestamptz
        LIMIT (request->>'daily_limit')::bigint) AS counted) THEN
    v_refused := 'DAILY_ORDER_LIMIT_EXCEEDED';
  END IF;
  IF v_refused IS NOT NULL THEN
    RETURN v_refused;
  ELSIF request->>'refused' IS NOT NULL THEN
    RETURN 'BY_VALIDATION';
  ELSIF NOT is_market_open((request->>'market_id')::bigint) THEN
    RETURN 'MARKET_CLOSED';
  END IF;
  v_refused := COALESCE(refuse_new_position(request, v_wallet.id),
    refuse_funds(request, v_wallet));
  IF v_refused IS NULL AND request->>'not_matched' IS NOT NULL THEN
    v_refused := 'BY_MATCHING';
  END IF;
  RETURN v_refused;
END $$;

-- Writes the fill with its ledger and position; answers {position, trade_ids} for the answer.
CREATE OR REPLACE FUNCTION write_placed_fill(
  request jsonb, p_wallet_id bigint, p_order_id bigint, p_fill_id bigint, p_at timestamptz
) RETURNS trading_position LANGUAGE plpgsql AS $$
DECLARE
  v_fill jsonb := request->'fill';
  v_notional numeric := (v_fill->>'notional')::numeric;
  v_fee numeric := (v_fill->>'fee')::numeric;
  v_side text := request->>'side';
  v_sign integer := CASE v_side WHEN 'BUY' THEN -1 ELSE 1 END;
  v_applied record;
BEGIN
  PERFORM post_ledger(p_wallet_id, v_side, format('fill:%s', p_fill_id), '', p_at,
    v_sign * v_notional, 0, 'TRADING', v_fee);
  SELECT * INTO v_applied FROM apply_fill(
    p_wallet_id, (request->>'market_id')::bigint, (request->>'outcome_id')::bigint, v_side,
    (v_fill->>'quantity')::numeric, (v_fill->>'exact_notional')::numeric, p_at, false);
  INSERT INTO trading_fill (id, order_id, wallet_id, market_id, outcome_id, side, price, quantity,
      notional, fee, liquidity, realized_pnl, placed_by, match_key, evidence, created_at)
    VALUES (p_fill_id, p_order_id, p_wallet_id, (request->>'market_id')::bigint,
      (request->>'outcome_id')::bigint, v_side, (v_fill->>'price')::numeric,
      (v_fill->>'quantity')::numeric, v_notional, v_fee, 'taker', v_applied.v_realized,
      COALESCE(request->>'placed_by', 'trader'), 'placed',
      v_fill->'evidence', p_at);
  RETURN v_applied.v_position;
END $$;

-- Puts the part that rests behind a hold: cash for a buy, shares for a sell.
CREATE OR REPLACE FUNCTION write_hold(request jsonb, p_wallet_id bigint, p_order_id bigint, p_at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_hold numeric := (request->>'hold')::numeric;
BEGIN
  IF request->>'side' = 'BUY' THEN
    PERFORM post_ledger(p_wallet_id, 'RESERVE', format('order:%s:reserve', p_order_id), '', p_at,
      -v_hold, v_hold, 'TRADING');
    INSERT INTO wallets_hold (reference, wallet_id, amount, created_at)
      VALUES ('order:' || p_order_id, p_wallet_id, v_hold, p_at);
  ELSE
    UPDATE trading_position
      SET reserved_quantity = reserved_quantity + (request->>'rest')::numeric
      WHERE wallet_id = p_wallet_id AND outcome_id = (request->>'outcome_id')::bigint
        AND status = 'OPEN';
  END IF;
END $$;

-- The order's row with its finished answer.
CREATE OR REPLACE FUNCTION write_order(
  request jsonb, p_order_id bigint, p_wallet_id bigint, p_answer jsonb, p_at timestamptz
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_fill jsonb := request->'fill';
  v_status text := request->>'status';
BEGIN
  INSERT INTO trading_order (id, wallet_id, user_id, market_id, outcome_id, side, type,
      time_in_force, price, quantity, amount, filled_quantity, filled_notional, fee,
      average_price, is_post_only, expires_at, status, cancelled_reason, placed_by, client_order_id,
      idempotency_key, request_hash, answer, created_at, filled_at, cancelled_at)
    VALUES (p_order_id, p_wallet_id, (request->>'user_id')::bigint,
      (request->>'market_id')::bigint, (request->>'outcome_id')::bigint, request->>'side',
      request->>'type', request->>'time_in_force', (request->>'price')::numeric,
      (request->>'quantity')::numeric, (request->>'amount')::numeric,
      COALESCE((v_fill->>'quantity')::numeric, 0), COALESCE((v_fill->>'notional')::numeric, 0),
      COALESCE((v_fill->>'fee')::numeric, 0), (v_fill->>'price')::numeric,
      (request->>'is_post_only')::boolean, (request->>'expires_at')::timestamptz, v_status,
      request->>'cancelled_reason', COALESCE(request->>'placed_by', 'trader'),
      request->>'client_order_id', request->>'key',
      request->>'request_hash', p_answer, p_at,
      CASE WHEN v_status = 'FILLED' THEN p_at END,
      CASE WHEN v_status = 'CANCELLED' THEN p_at END);
END $$;

-- The request is built by trading/services/order_statement.py. Answers one of
-- {"answer": {...}}, {"refused": code} or {"rematch": true} (waited long: read the book again).
CREATE OR REPLACE FUNCTION place_order(request jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
  v_at timestamptz := (request->>'now')::timestamptz;
  v_answer jsonb := begin_order(request);
  v_wallet wallets_wallet;
  v_refused text;
  v_order_id bigint;
  v_fill_id bigint;
  v_position trading_position;
BEGIN
  IF v_answer IS NOT NULL THEN
    RETURN v_answer;
  END IF;
  IF request->>'wallet_id' IS NULL THEN
    SELECT * INTO v_wallet FROM wallets_wallet WHERE user_id = (request->>'user_id')::bigint
      AND kind = 'API' AND status = 'ACTIVE' FOR UPDATE;
  ELSE
    SELECT * INTO v_wallet FROM wallets_wallet WHERE id = (request->>'wallet_id')::bigint
      AND user_id = (request->>'user_id')::bigint FOR UPDATE;
  END IF;
  v_refused := refuse_order(request, v_wallet);
  IF v_refused IS NOT NULL THEN
    RETURN jsonb_build_object('refused', v_refused);
  END IF;
  v_order_id := nextval('trading_order_id_seq');
  IF jsonb_typeof(request->'fill') = 'object' THEN
    v_fill_id := nextval('trading_fill_id_seq');
    v_position := write_placed_fill(request, v_wallet.id, v_order_id, v_fill_id, v_at);
  END IF;
  IF request->>'status' = 'PENDING' THEN
    PERFORM write_hold(request, v_wallet.id, v_order_id, v_at);
  END IF;
  v_answer := (request->'answer') || jsonb_build_object(
    'order_id', v_order_id,
    'wallet_id', v_wallet.id,
    'account_balance', (SELECT round(balance, 2)::text FROM wallets_wallet WHERE id = v_wallet.id),
    'trade_ids', CASE WHEN v_fill_id IS NULL THEN '[]'::jsonb
      ELSE jsonb_build_array(v_fill_id::text) END,
    'position', CASE WHEN v_position.id IS NULL THEN 'null'::jsonb
      ELSE (request->'answer'->'position') || jsonb_build_object(
        'quantity', round(v_position.quantity, 4)::text,
        'avg_entry_price', round(v_position.average_price, 4)::text,
        'status', v_position.status) END);
  PERFORM write_order(request, v_order_id, v_wallet.id, v_answer, v_at);
  RETURN jsonb_build_object('answer', v_answer);
END $$;
