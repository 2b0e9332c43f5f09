"""`/v1/partner`: one list of all endpoints of the firms' servers, joined from the apps' doors."""

from prop.api.partner import urlpatterns as prop_urls
from tenants.api.partner import urlpatterns as tenants_urls
from tenants.office.api.partner import urlpatterns as office_urls
from trading.api.partner import urlpatterns as trading_urls
from trading.api.partner_clocks import urlpatterns as clock_urls
from wallets.api.partner import urlpatterns as wallets_urls

urlpatterns = [*tenants_urls, *office_urls, *wallets_urls, *trading_urls, *clock_urls, *prop_urls]
