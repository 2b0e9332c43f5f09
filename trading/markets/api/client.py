"""`/v1`: public market data (trading-api 2)."""

from django.urls import path

from trading.markets.api import listing, parameters, quoting

urlpatterns = [
    path("markets", listing.MarketListView.as_view()),
    path("markets/by-slug/<str:slug>", listing.MarketBySlugView.as_view()),
    path("markets/<str:condition_id>", listing.MarketView.as_view()),
    path("markets/<str:condition_id>/book", quoting.MarketBookView.as_view()),
    path("markets/<str:condition_id>/candles", parameters.CandlesView.as_view()),
    path("markets-by-token/<str:token_id>", listing.MarketByTokenView.as_view()),
    path("events", listing.EventListView.as_view()),
    path("categories", listing.CategoryListView.as_view()),
    path("book", quoting.TokenBookView.as_view()),
    path("clob/book/<str:token_id>", quoting.ClobBookView.as_view()),
    path("books", quoting.BooksView.as_view()),
    path("price", quoting.PriceView.as_view()),
    path("midpoint", quoting.MidpointView.as_view()),
    path("spread", quoting.SpreadView.as_view()),
    path("last-trade-price", quoting.LastTradeView.as_view()),
    path("prices", quoting.PricesView.as_view()),
    path("midpoints", quoting.MidpointsView.as_view()),
    path("spreads", quoting.SpreadsView.as_view()),
    path("last-trades-prices", quoting.LastTradesView.as_view()),
    path("prices/batch", quoting.PriceBatchView.as_view()),
    path("tick-size", parameters.TickSizeView.as_view()),
    path("tick-size/<str:token_id>", parameters.TickSizeByPathView.as_view()),
    path("neg-risk", parameters.NegRiskView.as_view()),
    path("neg-risk/<str:token_id>", parameters.NegRiskByPathView.as_view()),
    path("fee-rate", parameters.FeeRateView.as_view()),
    path("time", parameters.TimeView.as_view()),
    path("prices-history", parameters.PricesHistoryView.as_view()),
]
