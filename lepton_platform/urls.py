from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("lepton_platform.api.urls")),
    path("", include("lepton_platform.portal.urls")),
    path("account/", include("allauth.urls")),
]
