"""`/v1/partner`: signed webhooks (partner-api B3)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
