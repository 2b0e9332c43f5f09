"""Addresses of accounts on a firm's host. Traders come by login link, staff by invitation."""

from django.urls import path

from tenants import views
from tenants.urls_accounts import urlpatterns as account_urls

urlpatterns = [
    path("", views.firm_home, name="landing"),
    path("signup/", views.firm_signup, name="account_signup"),
    *account_urls,
]
