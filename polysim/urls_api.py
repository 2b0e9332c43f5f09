"""`/v1`: one list of all public endpoints, joined from the apps' doors."""

from tenants.api.client import urlpatterns as tenants_urls
from trading.api.client import urlpatterns as trading_urls
from trading.markets.api.client import urlpatterns as markets_urls
from wallets.api.client import urlpatterns as wallets_urls

urlpatterns = [*tenants_urls, *markets_urls, *wallets_urls, *trading_urls]
