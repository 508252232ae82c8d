"""AWS KMS. The context is sent as encryption context and recorded in CloudTrail: it must hold no secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol

from tenants.errors import DecryptionFailed, KeyServiceUnavailable

# Error codes that mean "this blob can't be decrypted" rather than "the service failed".
_WRONG_KEY_CODES = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class AwsClient(Protocol):
    """The methods of boto3's KMS client that are used here, in AWS's spelling."""

    def encrypt(
        self, *, KeyId: str, Plaintext: bytes, EncryptionContext: dict[str, str]
    ) -> dict[str, Any]: ...

    def decrypt(
        self, *, KeyId: str, CiphertextBlob: bytes, EncryptionContext: dict[str, str]
    ) -> dict[str, Any]: ...

    def rotate_key_on_demand(self, *, KeyId: str) -> dict[str, Any]: ...


class AwsKms:
    """A KMS key in AWS. `failures` are the exception classes of the client's library."""

    def __init__(self, client: AwsClient, *, key_id: str, failures: tuple[type[Exception], ...]) -> None:
        self._client, self._key_id, self._failures = client, key_id, failures

    @classmethod
    def connect(cls, *, region: str, key_id: str) -> AwsKms:
        """Creates the boto3 client, with credentials from its usual sources. Raises ValueError without the extra `aws`."""
        try:
            boto3, config = import_module("boto3"), import_module("botocore.config")
            exceptions = import_module("botocore.exceptions")
        except ImportError as missing:
            raise ValueError("awskms:// needs boto3: install the extra `aws`.") from missing
        limits = config.Config(
            connect_timeout=2,
            read_timeout=5,
            retries={"max_attempts": 3, "mode": "standard"},
        )
        client = boto3.client("kms", region_name=region, config=limits)
        failures = (exceptions.ClientError, exceptions.BotoCoreError)
        return cls(client, key_id=key_id, failures=failures)

    def wrap(self, secret: bytes, *, context: Mapping[str, str]) -> bytes:
        """See Kms.wrap."""
        response = self._call_kms(
            lambda: self._client.encrypt(
                KeyId=self._key_id,
                Plaintext=secret,
                EncryptionContext=dict(context),
            )
        )
        return bytes(response["CiphertextBlob"])

    def unwrap(self, blob: bytes, *, context: Mapping[str, str]) -> bytes:
        """See Kms.unwrap."""
        response = self._call_kms(
            lambda: self._client.decrypt(
                KeyId=self._key_id,
                CiphertextBlob=blob,
                EncryptionContext=dict(context),
            )
        )
        return bytes(response["Plaintext"])

    def rotate(self) -> None:
        """See Kms.rotate. AWS limits the number of on-demand rotations of a key."""
        self._call_kms(lambda: self._client.rotate_key_on_demand(KeyId=self._key_id))

    def _call_kms(self, request: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        try:
            return request()
        except self._failures as error:
            response = getattr(error, "response", {})
            if response.get("Error", {}).get("Code") in _WRONG_KEY_CODES:
                raise DecryptionFailed from None
            raise KeyServiceUnavailable(
                "AWS KMS is not reachable or denies access to this process."
            ) from error
