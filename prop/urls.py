"""Addresses of the challenges' pages on the platform's host."""

from django.urls import path

from prop.views import buying, challenges

urlpatterns = [
    path("challenges/", challenges.overview_page, name="challenges"),
    path("challenges/mine/", challenges.mine_page, name="my_challenges"),
    path("challenges/buy/<int:program_id>/", buying.buy_page, name="buy_challenge"),
    path("challenges/purchases/<int:purchase_id>/retry/", buying.retry, name="retry_purchase"),
    path("challenges/purchases/<int:purchase_id>/cancel/", buying.cancel, name="cancel_purchase"),
    path("challenges/<int:challenge_id>/", challenges.challenge_page, name="challenge"),
    path("challenges/<int:challenge_id>/live/", challenges.live_fragment, name="challenge_live"),
    path("challenges/<int:challenge_id>/points/", challenges.curve_points, name="challenge_points"),
    path("challenges/<int:challenge_id>/why/", challenges.why_page, name="challenge_why"),
    path(
        "challenges/<int:challenge_id>/days/<str:day>/", challenges.day_page, name="challenge_day"
    ),
]
