-- The trades feed of firm accounts, in the transaction that books a fill or a settlement
-- (partner-api 6). The account's row is the counter: its lock makes `seq` gapless, and no lower
-- number ever becomes visible after a higher one.

CREATE OR REPLACE FUNCTION record_fill_of_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_account wallets_firmaccount;
  v_trade_id uuid := gen_random_uuid();
  v_cash numeric := CASE NEW.side WHEN 'BUY' THEN -NEW.notional ELSE NEW.notional END - NEW.fee;
BEGIN
  UPDATE wallets_firmaccount a SET
      last_seq = a.last_seq + 1,
      realized_pnl = a.realized_pnl + NEW.realized_pnl - NEW.fee,
      fees_paid = a.fees_paid + NEW.fee,
      trades_count = a.trades_count + 1,
      trading_days = a.trading_days
        + ((NEW.created_at AT TIME ZONE a.time_zone)::date IS DISTINCT FROM a.last_trading_date
          )::integer,
      last_trading_date = (NEW.created_at AT TIME ZONE a.time_zone)::date,
      last_trade_at = NEW.created_at,
      updated_at = greatest(a.updated_at, NEW.created_at)
    WHERE a.wallet_id = NEW.wallet_id RETURNING * INTO v_account;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  INSERT INTO trading_trade (id, wallet_id, seq, kind, attempt, order_id, fill_id, market_id,
      outcome_id, side, price, quantity, notional, fee, liquidity, realized_pnl, cash_delta,
      balance_after, placed_by, local_date, filled_at)
    SELECT v_trade_id, NEW.wallet_id, v_account.last_seq, 'fill', v_account.attempt, NEW.order_id,
      NEW.id, NEW.market_id, NEW.outcome_id, NEW.side, NEW.price, NEW.quantity, NEW.notional,
      NEW.fee, NEW.liquidity, NEW.realized_pnl - NEW.fee, v_cash, w.balance + w.reserved,
      NEW.placed_by, v_account.last_trading_date, NEW.created_at
    FROM wallets_wallet w WHERE w.id = NEW.wallet_id;
  PERFORM write_event('trade.filled', jsonb_build_object('trade_id', v_trade_id), NEW.created_at);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION record_settlement_of_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_account wallets_firmaccount;
  v_trade_id uuid := gen_random_uuid();
  v_former record;
  v_paid numeric;
  v_realized numeric;
BEGIN
  IF NOT EXISTS (SELECT FROM wallets_firmaccount WHERE wallet_id = NEW.wallet_id) THEN
    RETURN NULL;
  END IF;
  SELECT realized_pnl INTO v_former FROM trading_settlement
    WHERE position_id = NEW.position_id AND version < NEW.version ORDER BY version DESC LIMIT 1;
  v_realized := NEW.realized_pnl - COALESCE(v_former.realized_pnl, 0);
  -- What this version really moved stands in the ledger: a clawback takes at most the cash left.
  SELECT COALESCE(sum(e.amount), 0) INTO v_paid FROM wallets_ledgertransaction t
    JOIN wallets_ledgerentry e ON e.transaction_id = t.id AND e.account = 'CASH'
    WHERE t.reference = format('settlement:%s:v%s', NEW.position_id, NEW.version);
  UPDATE wallets_firmaccount a SET
      last_seq = a.last_seq + 1,
      realized_pnl = a.realized_pnl + CASE WHEN NEW.version = 1 THEN v_realized ELSE v_paid END,
      updated_at = greatest(a.updated_at, NEW.settled_at)
    WHERE a.wallet_id = NEW.wallet_id RETURNING * INTO v_account;
  INSERT INTO trading_trade (id, wallet_id, seq, kind, attempt, settlement_id, market_id,
      outcome_id, side, price, quantity, notional, fee, liquidity, realized_pnl, cash_delta,
      balance_after, placed_by, local_date, filled_at)
    SELECT v_trade_id, NEW.wallet_id, v_account.last_seq, 'settlement', v_account.attempt, NEW.id,
      NEW.market_id, p.outcome_id, 'SELL', NEW.payout_per_share, NEW.quantity, v_paid, 0, '',
      CASE WHEN NEW.version = 1 THEN v_realized ELSE v_paid END, v_paid, w.balance + w.reserved,
      'system', (NEW.settled_at AT TIME ZONE v_account.time_zone)::date, NEW.settled_at
    FROM wallets_wallet w, trading_position p
    WHERE w.id = NEW.wallet_id AND p.id = NEW.position_id;
  PERFORM write_event(
    'position.settled', jsonb_build_object('trade_id', v_trade_id), NEW.settled_at);
  RETURN NULL;
END $$;

-- An order of a firm account that ended without being filled whole.
CREATE OR REPLACE FUNCTION record_end_of_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM wallets_firmaccount WHERE wallet_id = NEW.wallet_id) THEN
    PERFORM write_event('order.cancelled', jsonb_build_object('order_id', NEW.id),
      COALESCE(NEW.cancelled_at, NEW.created_at));
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER fill_enters_the_trades_feed AFTER INSERT ON trading_fill
  FOR EACH ROW EXECUTE FUNCTION record_fill_of_account();
CREATE TRIGGER settlement_enters_the_trades_feed AFTER INSERT ON trading_settlement
  FOR EACH ROW EXECUTE FUNCTION record_settlement_of_account();
CREATE TRIGGER order_end_is_told AFTER UPDATE OF status ON trading_order
  FOR EACH ROW WHEN (OLD.status = 'PENDING' AND NEW.status IN ('CANCELLED', 'EXPIRED'))
  EXECUTE FUNCTION record_end_of_order();
CREATE TRIGGER order_killed_at_once_is_told AFTER INSERT ON trading_order
  FOR EACH ROW WHEN (NEW.status = 'CANCELLED') EXECUTE FUNCTION record_end_of_order();
CREATE TRIGGER trade_is_append_only BEFORE UPDATE OR DELETE ON trading_trade
  FOR EACH ROW EXECUTE FUNCTION refuse_change();
