"""`/v1/partner`: accounts, trades and orders of a firm's traders (partner-api 4 to 9, B1, B2)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
