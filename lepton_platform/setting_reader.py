"""Reads single settings and validates their type. Used by `lepton_platform.env`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

# For role `build`, which encrypts nothing.
_PLACEHOLDER_KEY = base64.b64encode(bytes(32)).decode()


class InvalidSetting(Exception):
    """A setting is missing or has a wrong value; the message names the setting and what it must be."""


@dataclass(frozen=True, slots=True)
class SettingReader:
    """Reads settings by name; `build_default` replaces a missing value in role `build` only."""

    values: Mapping[str, str]
    is_build: bool

    def get_text(self, name: str, default: str | None = None, *, build_default: str | None = None) -> str:
        """The stripped value. Raises InvalidSetting if it is missing and there is no default."""
        value = self.values.get(name, "").strip()
        if value:
            return value
        if self.is_build and build_default is not None:
            return build_default
        if default is None:
            raise InvalidSetting(
                f"{name} is not set: start the embedded services with `make run`, or set it."
            )
        return default

    def get_url(
        self,
        name: str,
        schemes: tuple[str, ...],
        *,
        default: str | None = None,
        build_default: str | None = None,
    ) -> str:
        """A URL with one of the schemes. Raises InvalidSetting."""
        value = self.get_text(name, default, build_default=build_default)
        if split_url(name, value).scheme not in schemes:
            prefixes = " or ".join(f"{scheme}://" for scheme in schemes)
            raise InvalidSetting(f"{name} must be a URL that starts with {prefixes}.")
        return value

    def get_secret(self, name: str) -> str:
        """A text of at least 32 characters. Raises InvalidSetting."""
        value = self.get_text(name, build_default="build-only-" * 5)
        if len(value) < 32:
            raise InvalidSetting(f"{name} must have at least 32 characters.")
        return value

    def get_key(self, name: str) -> bytes:
        """At least 32 bytes, stated in base64. Raises InvalidSetting."""
        try:
            value = base64.b64decode(self.get_text(name, build_default=_PLACEHOLDER_KEY), validate=True)
        except binascii.Error as error:
            raise InvalidSetting(f"{name} must be base64.") from error
        if len(value) < 32:
            raise InvalidSetting(f"{name} must hold at least 32 bytes in base64.")
        return value

    def get_directory(self, name: str) -> str:
        """The path of an existing folder, or an empty text. Raises InvalidSetting."""
        value = self.get_text(name, "")
        if value and not Path(value).is_dir():
            raise InvalidSetting(f"{name} must be an existing folder.")
        return value

    def get_integer(self, name: str, default: int, *, min_value: int, max_value: int) -> int:
        """An integer within the bounds, both inclusive. Raises InvalidSetting."""
        try:
            value = int(self.get_text(name, str(default)))
        except ValueError as error:
            raise InvalidSetting(f"{name} must be a whole number.") from error
        if not min_value <= value <= max_value:
            raise InvalidSetting(f"{name} must lie between {min_value} and {max_value}.")
        return value


def split_url(name: str, value: str) -> SplitResult:
    """Parses the value of a setting as a URL. Raises InvalidSetting with the setting's name."""
    try:
        parts = urlsplit(value)
        # urlsplit parses the port lazily: reading it raises ValueError for a port that is no number.
        _ = parts.port
    except ValueError as error:
        raise InvalidSetting(f"{name} is not a URL.") from error
    return parts
