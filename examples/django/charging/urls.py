"""The pages, and what the gateway asks."""

from django.urls import path

from . import gateway_api, views

urlpatterns = [
    path("", views.NowView.as_view(), name="now"),
    path("start/", views.RemoteStartView.as_view(), name="remote_start"),
    path("stop/<int:pk>/", views.remote_stop, name="remote_stop"),
    # A tag is whatever a charger reads: it may have a slash in it.
    path("api/authorize/tag/<path:tag>/", gateway_api.authorize, name="authorize"),
    path("api/transaction/tag/<path:tag>/", gateway_api.transaction, name="transaction"),
]
