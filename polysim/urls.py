"""Addresses of the platform host: pages, the public API and the platform's admin."""

from django.urls import include, path

from polysim.views import favicon
from tenants.admin_site import platform_admin

urlpatterns = [
    path("favicon.ico", favicon),
    path("admin/", platform_admin.urls),
    path("v1/partner/", include("polysim.urls_partner")),
    path("v1/manager/", include("prop.api.manager")),
    path("v1/", include("polysim.urls_api")),
    path("prop/", include("prop.api.client")),
    path("", include("polysim.docs.urls")),
    path("", include("tenants.urls")),
    path("", include("wallets.urls")),
    path("", include("trading.urls")),
    path("", include("prop.urls")),
]

handler400 = "polysim.views.bad_request"
handler403 = "polysim.views.forbidden"
handler404 = "polysim.views.not_found"
handler500 = "polysim.views.server_error"
