"""Choices of the interface language."""

from __future__ import annotations

from django.conf import settings
from django.utils.translation import get_language_info


def list_language_choices() -> list[tuple[str, str]]:
    """Returns (code, name) of each language; a language is named in itself, so that its speakers recognise it."""
    choices = []
    for code, _name in settings.LANGUAGES:
        choices.append((code, get_language_info(code)["name_local"]))
    return choices
