-- The audit log is append-only; one function writes an event of the outbox.
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'audit entries are never changed or deleted'
    USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER firm_audit_is_append_only BEFORE UPDATE OR DELETE
  ON office_firmauditentry FOR EACH ROW EXECUTE FUNCTION refuse_audit_change();

-- An event of this building in the caller's transaction (partner-api B3).
CREATE FUNCTION write_event(p_type text, p_data jsonb, p_at timestamptz) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO office_webhookevent (message_id, type, data, occurred_at)
    VALUES ('msg_' || replace(gen_random_uuid()::text, '-', ''), p_type, p_data, p_at)
$$;
