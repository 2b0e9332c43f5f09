"""Addresses of a firm's host. The firm's BackOffice and pages are mounted here."""

from django.urls import include, path

urlpatterns = [
    path("v1/", include("polysim.urls_api")),
    path("", include("tenants.urls_firm")),
]

handler400 = "polysim.views.bad_request"
handler403 = "polysim.views.forbidden"
handler404 = "polysim.views.not_found"
handler500 = "polysim.views.server_error"
