"""Addresses of the guide."""

from django.urls import path

from polysim.docs.views import docs_page

urlpatterns = [
    path("docs/", docs_page, name="docs"),
    path("docs/<slug:slug>/", docs_page, name="docs_page"),
]
