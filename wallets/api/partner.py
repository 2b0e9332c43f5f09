"""`/v1/partner`: the firm's traders with the count of their accounts (partner-api 1, 2, B1)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
