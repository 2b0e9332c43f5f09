"""The audit of identity is append-only; the site's name in mails is Polysim."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION public.tenants_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or deleted' USING ERRCODE = 'P0001';
END $$;
CREATE TRIGGER tenants_audit_append_only
    BEFORE UPDATE OR DELETE ON public.tenants_identityauditentry
    FOR EACH ROW EXECUTE FUNCTION public.tenants_audit_is_append_only();
"""
BACKWARD = """
DROP TRIGGER tenants_audit_append_only ON public.tenants_identityauditentry;
DROP FUNCTION public.tenants_audit_is_append_only();
"""


def name_the_site(apps, schema_editor):
    sites = apps.get_model("sites", "Site")
    sites.objects.update_or_create(id=1, defaults={"domain": "localhost", "name": "Polysim"})


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial"), ("sites", "0002_alter_domain_unique")]

    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.RunPython(name_the_site, migrations.RunPython.noop),
    ]
