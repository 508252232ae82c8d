"""PostgreSQL refuses to run as root: root's services run as an unprivileged account."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lepton_platform.embedded.errors import ServiceFailed


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    uid: int
    gid: int

    def own(self, folder: Path) -> None:
        """Makes `folder` exist, private to this account."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        if folder.stat().st_uid != self.uid:
            os.chown(folder, self.uid, self.gid)

    def can_run(self, binary: Path) -> bool:
        """Whether this account reaches and executes `binary`; folders above it may be closed."""
        try:
            done = subprocess.run(
                [str(binary), "--version"],
                capture_output=True,
                check=False,
                timeout=20,
                cwd="/",
                **self.identity(),
            )
        except OSError:
            return False
        return done.returncode == 0

    def identity(self) -> dict[str, Any]:
        """Arguments for Popen: nothing when this process already is the account."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def service_account() -> Account:
    """The present account, or `postgres` or `nobody` when it is root."""
    if os.geteuid() != 0:
        return Account("", os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise ServiceFailed("PostgreSQL does not run as root, and there is no account `postgres` or `nobody`.")
