from __future__ import annotations

from django.conf import settings
from django.utils.translation import get_language_info


def list_language_choices() -> list[tuple[str, str]]:
    """Each language under its own name."""
    return [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES]
