"""The account that runs the engines: PostgreSQL refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_platform.embedded.errors import ServiceError


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """An account of the machine; `name` is empty for the present account."""

    name: str
    uid: int
    gid: int

    def prepare_directory(self, directory: Path) -> None:
        """Creates the folder if needed and makes it private to this account."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        if directory.stat().st_uid != self.uid:
            os.chown(directory, self.uid, self.gid)

    def can_run(self, binary: Path) -> bool:
        """Whether this account can execute `binary`. It is run, because a parent folder may be closed to the account."""
        try:
            completed = subprocess.run(
                [str(binary), "--version"],
                capture_output=True,
                check=False,
                timeout=20,
                cwd="/",
                **self.build_popen_arguments(),
            )
        except OSError:
            return False
        return completed.returncode == 0

    def build_popen_arguments(self) -> dict[str, Any]:
        """Popen arguments that switch to this account; empty when this process runs as it already."""
        if os.geteuid() != 0:
            return {}
        # Without extra_groups the child would keep root's supplementary groups.
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def get_service_account() -> ServiceAccount:
    """The present account; for root `postgres`, or `nobody` if there is none. Raises ServiceError."""
    if os.geteuid() != 0:
        return ServiceAccount("", os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServiceAccount(name, entry.pw_uid, entry.pw_gid)
    raise ServiceError("PostgreSQL does not run as root, and there is no account `postgres` or `nobody`.")
