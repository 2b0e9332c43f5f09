"""Addresses of the terminal's pages."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from trading.views import accounts, login_link, market, markets, orders, portfolio, settings, status


class TextSlugConverter(StringConverter):
    """A slug of the venue: any text that the database can hold, so without a null byte."""

    regex = r"[^/\x00]+"


register_converter(TextSlugConverter, "text_slug")

urlpatterns = [
    path("", markets.landing, name="landing"),
    path("markets/", markets.market_list, name="markets"),
    path("markets/<text_slug:slug>/", market.market_page, name="market"),
    path("markets/<text_slug:slug>/chart/", market.chart_fragment, name="market_chart"),
    path("markets/<text_slug:slug>/points/", market.chart_points, name="market_points"),
    path("markets/<text_slug:slug>/own/", market.own_fragment, name="market_own"),
    path("orders/preview/", orders.preview, name="order_preview"),
    path("orders/review/", orders.review, name="order_review"),
    path("orders/place/", orders.place, name="order_place"),
    path("orders/cancel-all/", orders.cancel_all, name="cancel_orders"),
    path("orders/<int:order_id>/cancel/", orders.cancel, name="cancel_order"),
    path("portfolio/", portfolio.portfolio_page, name="portfolio"),
    path("portfolio/tab/", portfolio.tab_fragment, name="portfolio_tab"),
    path("portfolio/points/", portfolio.equity_points, name="portfolio_points"),
    path("portfolio/export.csv", portfolio.download, name="portfolio_csv"),
    path("settings/", settings.settings_page, name="settings"),
    path("settings/profile/", settings.save_profile, name="save_profile"),
    path("settings/display/", settings.save_display, name="save_display"),
    path("settings/wallets/reset/", settings.reset, name="reset_wallet"),
    path("settings/wallets/archive/", settings.archive, name="archive_wallet"),
    path("status/", status.status_page, name="status"),
    path("help/", status.help_page, name="help"),
    path("link/new/", login_link.new_login_link, name="new_login_link"),
    path("link/<str:token>/", login_link.login_link, name="login_link"),
    path("account/", accounts.account_list, name="accounts"),
    path("account/switch/", accounts.switch_account, name="switch_account"),
    path("account/bar/", accounts.account_bar, name="account_bar"),
    path("feed/banner/", accounts.feed_banner, name="feed_banner"),
    path("theme/", accounts.theme, name="theme"),
    path("live/", accounts.live_frames, name="live_frames"),
]
