"""All URLs: the pages, the admin site, and what the gateway asks (BASE_URL)."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("", include("charging.urls")),
    path("admin/", admin.site.urls),
]
