"""Finds the Chromium of the browser tests, or installs it; they are never skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGES = ("chromium", "fonts-noto-cjk")


class NoBrowserError(Exception):
    """One sentence."""


def executable() -> str:
    """Path of a Chromium. Raises NoBrowserError."""
    found = os.environ.get("LEPTON_CHROMIUM") or _on_path() or _of_playwright()
    if not found:
        raise NoBrowserError(
            "The browser tests need Chromium: install it, or set LEPTON_CHROMIUM to its path."
        )
    return found


def _on_path() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _of_playwright() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """The Debian package as root, else playwright's own build."""
    apt = shutil.which("apt-get")
    if apt and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run([apt, "update", "-qq"], check=False, env=environment)
        subprocess.run(
            [apt, "install", "-y", "-qq", "--no-install-recommends", *_PACKAGES], check=False, env=environment
        )
    if not _on_path():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def main() -> int:
    try:
        executable()
    except NoBrowserError:
        print("Installing Chromium for the browser tests.")
        install()
    try:
        print(f"Browser tests use {executable()}.")
    except NoBrowserError as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
