DROP FUNCTION post_firm_share(bigint, text, text, timestamptz, numeric);
DROP FUNCTION post_transfer(bigint, text, text, text, timestamptz, numeric, text);
