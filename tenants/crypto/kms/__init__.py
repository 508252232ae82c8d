"""Key services (KMS) that hold a region's root keys: a local file, AWS KMS, or Vault/OpenBao transit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tenants.crypto.kms.aws import AwsKms
from tenants.crypto.kms.interface import Kms
from tenants.crypto.kms.local import LocalKms
from tenants.crypto.kms.vault import VaultKms

__all__ = ["AwsKms", "Kms", "LocalKms", "VaultKms", "create_kms_from_url"]


def create_kms_from_url(url: str, *, environ: Mapping[str, str] = os.environ) -> Kms:
    """Creates the client for `file:///path/cn.key`, `awskms://region/key-id-or-arn` or `vault://host[:port]/mount/key`.

    Credentials are read from each vendor's usual sources (AWS_*, VAULT_*), never from the URL.
    Raises ValueError for any other URL.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.username or parts.password:
        raise ValueError("A key service URL holds no credentials.")
    if parts.scheme == "file" and not parts.netloc and path.startswith("/"):
        return LocalKms(Path(path))
    if parts.scheme == "awskms" and parts.netloc and path.strip("/"):
        return AwsKms.connect(region=parts.netloc, key_id=path.strip("/"))
    if parts.scheme == "vault" and parts.netloc:
        # The mount may contain slashes, the key's name may not.
        mount, _, key = path.strip("/").rpartition("/")
        if mount and key:
            return VaultKms.connect(
                parts.netloc,
                mount=mount,
                key=key,
                environ=environ,
            )
    raise ValueError("A key service URL is file:///path, awskms://region/key or vault://host/mount/key.")
