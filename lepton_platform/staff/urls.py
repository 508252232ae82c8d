from __future__ import annotations

from django.urls import path

from lepton_platform.staff import pages  # noqa: F401 - registers the pages
from lepton_platform.staff.site import site

urlpatterns = [path("", site.urls)]
