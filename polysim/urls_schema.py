"""What the OpenAPI document describes: the public API at its full addresses."""

from django.urls import include, path

urlpatterns = [path("v1/", include("polysim.urls_api"))]
