"""Writing the firm's audit log and its events, in the transaction of the change itself."""

from tenants.office.services.audit import Actor, system_actor, write_firm_audit
from tenants.office.services.events import write_event

__all__ = ["Actor", "system_actor", "write_event", "write_firm_audit"]
