-- Money of a wallet that moves other than by trading: challenge fees, payouts, adjustments, the
-- firm's transfers. On a firm account it shifts `net_transfers`, the peak and the day's start, so
-- that profit never contains it (contracts/README 18). The caller holds the user's lock.
CREATE FUNCTION post_transfer(
  p_wallet_id bigint, p_type text, p_reference text, p_memo text, p_at timestamptz,
  p_amount numeric, p_house text, OUT balance numeric, OUT reserved numeric
) LANGUAGE plpgsql AS $$
BEGIN
  SELECT posted.balance, posted.reserved INTO balance, reserved
    FROM post_ledger(p_wallet_id, p_type, p_reference, p_memo, p_at, p_amount, 0, p_house) posted;
  UPDATE wallets_firmaccount SET net_transfers = net_transfers + p_amount,
      peak_equity = greatest(peak_equity + p_amount, 0),
      day_start_equity = greatest(day_start_equity + p_amount, 0),
      updated_at = greatest(updated_at, p_at)
    WHERE wallet_id = p_wallet_id;
END $$;

-- The firm's share of a profit: house accounts alone move, under the wallet it came from.
CREATE FUNCTION post_firm_share(
  p_wallet_id bigint, p_reference text, p_memo text, p_at timestamptz, p_amount numeric
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_id bigint;
BEGIN
  IF p_amount = 0 THEN
    RETURN;
  END IF;
  INSERT INTO wallets_ledgertransaction (wallet_id, type, reference, memo, created_at)
    VALUES (p_wallet_id, 'PROP_FIRM_SHARE', p_reference, p_memo, p_at) RETURNING id INTO v_id;
  INSERT INTO wallets_ledgerentry (transaction_id, wallet_id, account, amount)
    VALUES (v_id, p_wallet_id, 'FIRM', p_amount), (v_id, p_wallet_id, 'PAYOUTS', -p_amount);
END $$;
