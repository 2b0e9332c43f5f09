DROP TRIGGER trade_is_append_only ON trading_trade;
DROP TRIGGER order_killed_at_once_is_told ON trading_order;
DROP TRIGGER order_end_is_told ON trading_order;
DROP TRIGGER settlement_enters_the_trades_feed ON trading_settlement;
DROP TRIGGER fill_enters_the_trades_feed ON trading_fill;
DROP FUNCTION record_end_of_order();
DROP FUNCTION record_settlement_of_account();
DROP FUNCTION record_fill_of_account();
DROP FUNCTION refuse_new_position(jsonb, bigint);
