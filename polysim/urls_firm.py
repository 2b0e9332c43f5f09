"""Addresses of a firm's host. The firm's BackOffice is mounted here; the terminal is not.

Pages that every layout links to exist here too, or lead to the platform's host.
"""

from django.urls import include, path, re_path

from polysim.views import favicon
from tenants.office.admin.settings import firm_logo
from tenants.office.admin_site import backoffice
from tenants.views import to_platform
from trading.views import accounts, status

urlpatterns = [
    path("favicon.ico", favicon),
    path("v1/partner/", include("polysim.urls_partner")),
    path("backoffice/", backoffice.urls),
    path("firm/logo/", firm_logo, name="firm_logo"),
    path("v1/manager/", include("prop.api.manager")),
    path("v1/", include("polysim.urls_api")),
    path("prop/", include("prop.api.client")),
    path("", include("polysim.docs.urls")),
    path("", include("tenants.urls_firm")),
    path("status/", status.status_page, name="status"),
    path("help/", status.help_page, name="help"),
    path("feed/banner/", accounts.feed_banner, name="feed_banner"),
    path("theme/", accounts.theme, name="theme"),
    path("markets/", to_platform, name="markets"),
    path("markets/<str:slug>/", to_platform, name="market"),
    path("settings/", to_platform, name="settings"),
    path("portfolio/", to_platform, name="portfolio"),
    path("challenges/", to_platform, name="challenges"),
    re_path(r"^challenges/.+/$", to_platform),
]

handler400 = "polysim.views.bad_request"
handler403 = "polysim.views.forbidden"
handler404 = "polysim.views.not_found"
handler500 = "polysim.views.server_error"
