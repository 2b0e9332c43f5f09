-- The ledger's laws, kept by the database (architecture laws 1 and 4).
-- Trigger functions pin the search path of the building they were created in: a deferred check
-- runs at commit, when the session may already stand in another building.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: a correction is another row', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$;

CREATE TRIGGER ledger_transaction_is_append_only BEFORE UPDATE OR DELETE
  ON wallets_ledgertransaction FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ledger_entry_is_append_only BEFORE UPDATE OR DELETE
  ON wallets_ledgerentry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER wallet_reset_is_append_only BEFORE UPDATE OR DELETE
  ON wallets_walletreset FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- At commit: a transaction's entries sum to zero, each entry of a wallet's own account continues
-- the running balance of the entry before it, and the wallet shows what its newest entry says.
CREATE FUNCTION check_ledger_entry() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  total numeric;
  former numeric;
  is_newest boolean;
  shown numeric;
BEGIN
  IF NEW.account NOT IN ('CASH', 'RESERVED') THEN
    SELECT sum(amount) INTO total FROM wallets_ledgerentry
      WHERE transaction_id = NEW.transaction_id;
  ELSE
    SELECT
      (SELECT sum(amount) FROM wallets_ledgerentry WHERE transaction_id = NEW.transaction_id),
      COALESCE((SELECT balance_after FROM wallets_ledgerentry WHERE wallet_id = NEW.wallet_id
        AND account = NEW.account AND account IN ('CASH', 'RESERVED') AND id < NEW.id
        ORDER BY id DESC LIMIT 1), 0),
      NOT EXISTS (SELECT FROM wallets_ledgerentry WHERE wallet_id = NEW.wallet_id
        AND account = NEW.account AND account IN ('CASH', 'RESERVED') AND id > NEW.id),
      (SELECT CASE NEW.account WHEN 'CASH' THEN balance ELSE reserved END
        FROM wallets_wallet WHERE id = NEW.wallet_id)
      INTO total, former, is_newest, shown;
    IF NEW.balance_after IS DISTINCT FROM former + NEW.amount
      OR (is_newest AND shown <> NEW.balance_after) THEN
      RAISE EXCEPTION 'entry % of wallet % says %, its account has % and the entry before %',
        NEW.id, NEW.wallet_id, NEW.balance_after, shown, former
        USING ERRCODE = 'check_violation';
    END IF;
  END IF;
  IF total <> 0 THEN
    RAISE EXCEPTION 'ledger transaction % sums to %, not to zero', NEW.transaction_id, total
      USING ERRCODE = 'check_violation';
  END IF;
  RETURN NULL;
END $$;

-- Raises unless the wallet's two figures are the running balances of its newest entries.
CREATE FUNCTION check_wallet_balance(p_wallet_id bigint) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  found record;
BEGIN
  SELECT w.balance, w.reserved,
    COALESCE((SELECT balance_after FROM wallets_ledgerentry WHERE wallet_id = w.id
      AND account = 'CASH' AND account IN ('CASH', 'RESERVED')
      ORDER BY id DESC LIMIT 1), 0) AS cash,
    COALESCE((SELECT balance_after FROM wallets_ledgerentry WHERE wallet_id = w.id
      AND account = 'RESERVED' AND account IN ('CASH', 'RESERVED')
      ORDER BY id DESC LIMIT 1), 0) AS held
    INTO found FROM wallets_wallet w WHERE w.id = p_wallet_id;
  IF found.balance <> found.cash OR found.reserved <> found.held THEN
    RAISE EXCEPTION 'wallet % has % and %, its ledger says % and %', p_wallet_id,
      found.balance, found.reserved, found.cash, found.held USING ERRCODE = 'check_violation';
  END IF;
END $$;

CREATE FUNCTION check_wallet() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  PERFORM check_wallet_balance(NEW.id);
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER ledger_transaction_sums_to_zero AFTER INSERT
  ON wallets_ledgerentry DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION check_ledger_entry();
CREATE CONSTRAINT TRIGGER wallet_made_with_its_entries AFTER INSERT
  ON wallets_wallet DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION check_wallet();
CREATE CONSTRAINT TRIGGER wallet_balance_is_its_entries AFTER UPDATE OF balance, reserved
  ON wallets_wallet DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD.balance <> NEW.balance OR OLD.reserved <> NEW.reserved)
  EXECUTE FUNCTION check_wallet();

-- The lock of one person's money (law 4): orders, fills, resets of all wallets of a user run one
-- at a time. Held to the end of the transaction. Answers the milliseconds waited, -1 when it was
-- still taken after p_wait_ms; later row locks wait no longer than that either.
CREATE FUNCTION lock_user(p_user_id bigint, p_wait_ms integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  began timestamptz;
BEGIN
  PERFORM set_config('lock_timeout', greatest(p_wait_ms, 1)::text, true);
  IF pg_try_advisory_xact_lock(1886350433, p_user_id::integer) THEN
    RETURN 0;
  END IF;
  began := clock_timestamp();
  BEGIN
    PERFORM pg_advisory_xact_lock(1886350433, p_user_id::integer);
  EXCEPTION WHEN lock_not_available THEN
    RETURN -1;
  END;
  RETURN extract(epoch FROM clock_timestamp() - began) * 1000;
END $$;

-- One movement of a wallet's money: p_cash and p_reserved are the changes of its two accounts,
-- the house account p_house takes the opposite of their sum. A fee above zero is a second
-- transaction (`<reference>:fee`) of the same change of the wallet. The caller holds the user's
-- lock. Answers (balance, reserved) after it; a balance below zero is refused by its constraint.
CREATE FUNCTION post_ledger(
  p_wallet_id bigint, p_type text, p_reference text, p_memo text, p_at timestamptz,
  p_cash numeric, p_reserved numeric, p_house text, p_fee numeric DEFAULT 0,
  OUT balance numeric, OUT reserved numeric
) LANGUAGE plpgsql AS $$
DECLARE
  v_id bigint;
  v_fee_id bigint;
BEGIN
  UPDATE wallets_wallet w
    SET balance = w.balance + p_cash - p_fee, reserved = w.reserved + p_reserved
    WHERE w.id = p_wallet_id RETURNING w.balance, w.reserved INTO balance, reserved;
  IF p_cash <> 0 OR p_reserved <> 0 THEN
    INSERT INTO wallets_ledgertransaction (wallet_id, type, reference, memo, created_at)
      VALUES (p_wallet_id, p_type, p_reference, p_memo, p_at) RETURNING id INTO v_id;
  END IF;
  IF p_fee <> 0 THEN
    INSERT INTO wallets_ledgertransaction (wallet_id, type, reference, memo, created_at)
      VALUES (p_wallet_id, 'FEE', p_reference || ':fee', p_memo, p_at) RETURNING id INTO v_fee_id;
  END IF;
  INSERT INTO wallets_ledgerentry (transaction_id, wallet_id, account, amount, balance_after)
    SELECT leg.transaction_id, p_wallet_id, leg.account, leg.amount, leg.balance_after
    FROM (VALUES
      (v_id, 'CASH', p_cash, balance + p_fee),
      (v_id, 'RESERVED', p_reserved, reserved),
      (v_id, p_house, -(p_cash + p_reserved), NULL),
      (v_fee_id, 'CASH', -p_fee, balance),
      (v_fee_id, 'FEES', p_fee, NULL)
    ) AS leg (transaction_id, account, amount, balance_after)
    WHERE leg.amount <> 0;
END $$;
