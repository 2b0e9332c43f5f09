"""`/v1`: orders and accounts (trading-api 4, accounts-api 6 and 7)."""

from django.urls import path

from trading.api import accounts

urlpatterns = [
    path("account/balance", accounts.BalanceView.as_view()),
    path("account/positions", accounts.PositionsView.as_view()),
    path("account/portfolio", accounts.PortfolioView.as_view()),
    path("account/history", accounts.HistoryView.as_view()),
    path("account/settlements", accounts.SettlementsView.as_view()),
]
