"""Addresses of the wallets part of the settings."""

from django.urls import path

from wallets import views

urlpatterns = [
    path("settings/wallets/open/", views.open_sandbox, name="open_sandbox"),
    path("settings/wallets/rename/", views.rename, name="rename_wallet"),
]
