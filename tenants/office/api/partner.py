"""`/v1/partner`: signed webhooks (partner-api B3)."""

from django.urls import URLPattern, path

from tenants.office.api.webhooks import (
    DeliveryReplayView,
    OneWebhookView,
    WebhookDeliveriesView,
    WebhookReplayView,
    WebhookSecretView,
    WebhooksView,
    WebhookTestView,
)

ONE = "webhooks/<str:webhook_id>"

urlpatterns: list[URLPattern] = [
    path("webhooks", WebhooksView.as_view()),
    path(ONE, OneWebhookView.as_view()),
    path(f"{ONE}/rotate-secret", WebhookSecretView.as_view()),
    path(f"{ONE}/test", WebhookTestView.as_view()),
    path(f"{ONE}/deliveries", WebhookDeliveriesView.as_view()),
    path(f"{ONE}/deliveries/<str:delivery_id>/replay", DeliveryReplayView.as_view()),
    path(f"{ONE}/replay", WebhookReplayView.as_view()),
]
