from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402 - needs the variable above

application = get_wsgi_application()
