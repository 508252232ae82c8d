from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

application = get_wsgi_application()

from lepton_platform.checks import refuse_unless_safe  # noqa: E402 - its models need the application

# Every view is imported now, not by the first request, and so are the libraries that they would pull in.
get_resolver().url_patterns  # noqa: B018 - reading it imports them
refuse_unless_safe()
