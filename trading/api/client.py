"""`/v1`: orders and accounts (trading-api 4, accounts-api 6 and 7)."""

from django.urls import path

from trading.api import accounts, cancelling, orders, status, wallets

urlpatterns = [
    path("status", status.StatusView.as_view()),
    path("orders", orders.OrdersView.as_view()),
    path("orders/batch", orders.BatchView.as_view()),
    path("orders/preview", orders.PreviewView.as_view()),
    path("orders/<str:order_id>", orders.OrderView.as_view()),
    path("cancel-all", cancelling.CancelAllView.as_view()),
    path("cancel-market-orders", cancelling.CancelMarketOrdersView.as_view()),
    path("me/wallets/<str:wallet_id>", wallets.WalletView.as_view()),
    path("me/wallets/<str:wallet_id>/reset", wallets.WalletResetView.as_view()),
    path("account/reset-api-balance", wallets.ApiResetView.as_view()),
    path("account/balance", accounts.BalanceView.as_view()),
    path("account/positions", accounts.PositionsView.as_view()),
    path("account/portfolio", accounts.PortfolioView.as_view()),
    path("account/history", accounts.HistoryView.as_view()),
    path("account/settlements", accounts.SettlementsView.as_view()),
]
