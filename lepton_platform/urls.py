from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("", include("lepton_platform.api.urls")),
    path("", include("lepton_platform.portal.urls")),
    path("account/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("staff/", include("lepton_platform.staff.urls")),
]
