from __future__ import annotations

from django.urls import include, path

from lepton_platform.bench import views

urlpatterns = [
    path("bench/hello", views.hello_view),
    path("bench/rls", views.rls_view),
    path("bench/plain-events", views.insert_plain_events),
    path("", include("lepton_platform.urls")),
]
