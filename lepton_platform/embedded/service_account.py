"""PostgreSQL refuses to run as root: root's services run as an unprivileged account."""

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
    name: str
    uid: int
    gid: int

    def prepare_directory(self, directory: Path) -> None:
        """Makes `folder` exist, private to this account."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        directory.chmod(0o700)
        if directory.stat().st_uid != self.uid:
            os.chown(directory, self.uid, self.gid)

    def can_run(self, binary: Path) -> bool:
        """Whether this account reaches and executes `binary`; folders above it may be closed."""
        try:
            done = subprocess.run(
                [str(binary), "--version"],
                capture_output=True,
                check=False,
                timeout=20,
                cwd="/",
                **self.build_popen_arguments(),
            )
        except OSError:
            return False
        return done.returncode == 0

    def build_popen_arguments(self) -> dict[str, Any]:
        """Arguments for Popen: nothing when this process already is the account."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def get_service_account() -> ServiceAccount:
    """The present account, or `postgres` or `nobody` when it is root."""
    if os.geteuid() != 0:
        return ServiceAccount("", os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServiceAccount(name, entry.pw_uid, entry.pw_gid)
    raise ServiceError("PostgreSQL does not run as root, and there is no account `postgres` or `nobody`.")
