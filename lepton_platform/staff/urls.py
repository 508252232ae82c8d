"""URL patterns of the staff pages."""

from __future__ import annotations

from django.urls import path

from lepton_platform.staff import pages  # noqa: F401 - importing registers the admin classes
from lepton_platform.staff.site import site

urlpatterns = [path("", site.urls)]
