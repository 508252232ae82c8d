"""`python -m tests.quality.write_stored_names` records the stored and public names of today in stored_names.json."""

from __future__ import annotations

import os

import django

if __name__ == "__main__":
    os.environ.setdefault("LEPTON_ROLE", "build")
    os.environ["DJANGO_SETTINGS_MODULE"] = "lepton_platform.settings"
    django.setup()
    from tests.quality.stored_names import SNAPSHOT, write_snapshot

    write_snapshot()
    print(f"Wrote {SNAPSHOT.name}.")
