"""`/v1/partner`: the description of the door (partner-api)."""

from django.urls import re_path

from tenants.api.partner_schema import partner_schema

urlpatterns = [
    re_path(r"^schema/?$", partner_schema, name="partner_schema"),
]
