"""Addresses of accounts on the platform host."""

from allauth.account import views
from django.urls import path

from tenants.urls_accounts import urlpatterns as account_urls

urlpatterns = [
    path("signup/", views.signup, name="account_signup"),
    *account_urls,
]
