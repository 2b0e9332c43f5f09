"""`/v1/partner`: the optional rule engine and test clocks (partner-api B4, B5)."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
