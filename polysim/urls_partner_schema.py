"""What the partner door's OpenAPI document describes: its endpoints at their full addresses."""

from django.urls import include, path

urlpatterns = [path("v1/partner/", include("polysim.urls_partner"))]
