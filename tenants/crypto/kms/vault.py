"""The transit engine of Vault or OpenBao over HTTPS. The key must be of an AEAD type (aes256-gcm96)."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tenants.crypto.associated_data import encode_mapping
from tenants.errors import DecryptionFailed, KeyServiceUnavailable

_TIMEOUT_SECONDS = 5.0
_MAX_RESPONSE_BYTES = 65_536
# Ciphertexts of the transit engine begin with "vault:v" and the version of the key.
_PREFIX = "vault:v"


class VaultKms:
    """A key of a transit engine. Each call opens a connection: keyrings are cached for about a minute."""

    def __init__(
        self,
        connect: Callable[[], HTTPConnection],
        *,
        mount: str,
        key: str,
        token: Callable[[], str],
        namespace: str = "",
    ) -> None:
        self._connect, self._mount, self._key = connect, mount, key
        self._read_token, self._namespace = token, namespace

    @classmethod
    def connect(
        cls,
        address: str,
        *,
        mount: str,
        key: str,
        environ: Mapping[str, str],
    ) -> VaultKms:
        """Reads VAULT_TOKEN or VAULT_TOKEN_FILE, VAULT_CACERT and VAULT_NAMESPACE. Raises ValueError without a token."""
        if not (environ.get("VAULT_TOKEN") or environ.get("VAULT_TOKEN_FILE")):
            raise ValueError("vault:// needs VAULT_TOKEN or VAULT_TOKEN_FILE.")
        trust = ssl.create_default_context(cafile=environ.get("VAULT_CACERT"))

        def read_token() -> str:
            # Read at each call: an agent replaces the file when the token is renewed.
            file = environ.get("VAULT_TOKEN_FILE")
            if file:
                return Path(file).read_text().strip()
            return environ["VAULT_TOKEN"]

        return cls(
            lambda: HTTPSConnection(address, timeout=_TIMEOUT_SECONDS, context=trust),
            mount=mount,
            key=key,
            token=read_token,
            namespace=environ.get("VAULT_NAMESPACE", ""),
        )

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """See Kms.wrap."""
        body = {"plaintext": _encode_base64(secret), **_build_associated_data(context)}
        return str(self._call_transit("encrypt", body)["ciphertext"]).encode()

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """See Kms.unwrap."""
        try:
            ciphertext = blob.decode("ascii")
        except UnicodeDecodeError:
            raise DecryptionFailed from None
        if not ciphertext.startswith(_PREFIX):
            raise DecryptionFailed
        body = {"ciphertext": ciphertext, **_build_associated_data(context)}
        return base64.b64decode(self._call_transit("decrypt", body)["plaintext"])

    def rotate(self) -> None:
        """See Kms.rotate."""
        self._call_transit("keys", {}, suffix="/rotate")

    def _call_transit(self, verb: str, body: Mapping[str, str], *, suffix: str = "") -> dict[str, Any]:
        path = f"/v1/{quote(self._mount)}/{verb}/{quote(self._key, safe='')}{suffix}"
        try:
            status, content = self._send_request(path, json.dumps(body).encode())
            # Vault reports a failed tag and a malformed ciphertext as 400.
            if status == 400 and verb == "decrypt":
                raise DecryptionFailed
            if status not in (200, 204):
                raise KeyServiceUnavailable(f"The key service returned status {status}.")
            if not content:
                return {}
            return dict(json.loads(content).get("data") or {})
        except (OSError, HTTPException, ValueError) as error:
            raise KeyServiceUnavailable("The key service is not reachable.") from error

    def _send_request(self, path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "X-Vault-Token": self._read_token()}
        if self._namespace:
            headers["X-Vault-Namespace"] = self._namespace
        connection = self._connect()
        try:
            connection.request("POST", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read(_MAX_RESPONSE_BYTES)
        finally:
            connection.close()


def _build_associated_data(context: Mapping[str, str]) -> dict[str, str]:
    return {"associated_data": _encode_base64(encode_mapping(context))}


def _encode_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
