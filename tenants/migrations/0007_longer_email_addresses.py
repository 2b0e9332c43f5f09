"""Addresses of up to 320 characters, in allauth's table too, which earlier installations have."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0006_rights_taken_from_roles"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]

    operations = [
        migrations.AlterField(
            model_name="user",
            name="email",
            field=models.EmailField(max_length=320),
        ),
        migrations.RunSQL(
            "ALTER TABLE account_emailaddress ALTER COLUMN email TYPE varchar(320)",
            migrations.RunSQL.noop,
        ),
    ]
