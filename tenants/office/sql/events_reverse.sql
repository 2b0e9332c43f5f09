DROP FUNCTION write_event(text, jsonb, timestamptz);
DROP TRIGGER firm_audit_is_append_only ON office_firmauditentry;
DROP FUNCTION refuse_audit_change();
