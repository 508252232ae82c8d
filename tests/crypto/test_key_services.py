"""All key services fulfil one contract. Remote services are fakes."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tenants.crypto import KeyHandle, Kms, create_kms_from_url
from tenants.crypto.kms import AwsKms, LocalKms, VaultKms
from tenants.crypto.wrapping import unwrap_bytes, wrap_bytes
from tenants.errors import DecryptionFailed, KeyServiceUnavailable

CONTEXT = {"region": "eu", "tenant": "a"}
SECRET = bytes(range(32))
VAULT_TOKEN = "a-token"


class FakeTransit(BaseHTTPRequestHandler):
    """The part of Vault's transit engine that Lepton uses."""

    keys: list[KeyHandle]
    status: int | None = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.status or self.headers["X-Vault-Token"] != VAULT_TOKEN:
            return self._answer(self.status or 403, {"errors": ["no"]})
        if self.path == "/v1/team/transit/keys/eu/rotate":
            self.keys.append(KeyHandle.generate())
            return self._answer(204, None)
        context = {"aad": body["associated_data"]}
        if self.path == "/v1/team/transit/encrypt/eu":
            blob = wrap_bytes(self.keys[-1], base64.b64decode(body["plaintext"]), context=context)
            text = f"vault:v{len(self.keys)}:{base64.b64encode(blob).decode()}"
            return self._answer(200, {"data": {"ciphertext": text}})
        return self._decrypt(body["ciphertext"], context)

    def _decrypt(self, ciphertext: str, context: dict[str, str]) -> None:
        try:
            _, version, blob = ciphertext.split(":")
            opened = unwrap_bytes(self.keys[int(version[1:]) - 1], base64.b64decode(blob), context=context)
        except (DecryptionFailed, ValueError, IndexError):
            return self._answer(400, {"errors": ["cipher: message authentication failed"]})
        return self._answer(200, {"data": {"plaintext": base64.b64encode(opened).decode()}})

    def _answer(self, status: int, body: dict[str, Any] | None) -> None:
        content = json.dumps(body).encode() if body else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Logs nothing."""


class FakeAwsError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class FakeAws:
    """The part of boto3's KMS client that Lepton uses."""

    def __init__(self) -> None:
        self.keys = [KeyHandle.generate()]
        self.failing = ""

    def encrypt(self, *, KeyId: str, Plaintext: bytes, EncryptionContext: dict[str, str]) -> dict[str, Any]:
        self._raise_if_failing()
        blob = wrap_bytes(self.keys[-1], Plaintext, context={**EncryptionContext, "key": KeyId})
        return {"CiphertextBlob": bytes([len(self.keys)]) + blob}

    def decrypt(
        self, *, KeyId: str, CiphertextBlob: bytes, EncryptionContext: dict[str, str]
    ) -> dict[str, Any]:
        self._raise_if_failing()
        try:
            key = self.keys[CiphertextBlob[0] - 1]
            context = {**EncryptionContext, "key": KeyId}
            return {"Plaintext": unwrap_bytes(key, CiphertextBlob[1:], context=context)}
        except (DecryptionFailed, IndexError):
            raise FakeAwsError("InvalidCiphertextException") from None

    def rotate_key_on_demand(self, *, KeyId: str) -> dict[str, Any]:
        self.keys.append(KeyHandle.generate())
        return {"KeyId": KeyId}

    def _raise_if_failing(self) -> None:
        if self.failing:
            raise FakeAwsError(self.failing)


@pytest.fixture
def transit() -> Iterator[tuple[type[FakeTransit], int]]:
    handler = type("Handler", (FakeTransit,), {"keys": [KeyHandle.generate()]})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield handler, server.server_port
        server.shutdown()
        thread.join()


def _build_vault_kms(port: int, token: str = VAULT_TOKEN) -> VaultKms:
    return VaultKms(
        lambda: HTTPConnection("127.0.0.1", port, timeout=5),
        mount="team/transit",
        key="eu",
        token=lambda: token,
    )


@pytest.fixture(params=["local", "aws", "vault"])
def kms(request: pytest.FixtureRequest, tmp_path: Path, transit: tuple[type[FakeTransit], int]) -> Kms:
    makers: dict[str, Callable[[], Kms]] = {
        "local": lambda: LocalKms(tmp_path / "eu.key"),
        "aws": lambda: AwsKms(FakeAws(), key_id="arn", failures=(FakeAwsError,)),
        "vault": lambda: _build_vault_kms(transit[1]),
    }
    return makers[request.param]()


def test_a_wrapped_secret_is_unwrapped(kms: Kms) -> None:
    blob = kms.wrap(SECRET, context=CONTEXT)
    assert SECRET not in blob
    assert kms.unwrap(blob, context=dict(reversed(CONTEXT.items()))) == SECRET


def test_another_context_is_refused(kms: Kms) -> None:
    blob = kms.wrap(SECRET, context=CONTEXT)
    for other in ({**CONTEXT, "tenant": "b"}, {"region": "eu"}, {"region": "eut", "enant": "a"}):
        with pytest.raises(DecryptionFailed):
            kms.unwrap(blob, context=other)


def test_a_changed_or_cut_blob_is_refused(kms: Kms) -> None:
    blob = kms.wrap(SECRET, context=CONTEXT)
    for changed in (blob[:-1], blob[:9], b"", b"\xff" + blob, blob[:-2] + bytes([blob[-2] ^ 1]) + blob[-1:]):
        with pytest.raises(DecryptionFailed):
            kms.unwrap(changed, context=CONTEXT)


def test_after_a_rotation_old_and_new_blobs_unwrap(kms: Kms) -> None:
    before = kms.wrap(SECRET, context=CONTEXT)
    kms.rotate()
    after = kms.wrap(SECRET, context=CONTEXT)
    assert kms.unwrap(before, context=CONTEXT) == kms.unwrap(after, context=CONTEXT) == SECRET


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_a_vault_that_refuses_or_fails_is_unavailable(
    transit: tuple[type[FakeTransit], int], status: int
) -> None:
    blob = _build_vault_kms(transit[1]).wrap(SECRET, context=CONTEXT)
    transit[0].status = status
    with pytest.raises(KeyServiceUnavailable):
        _build_vault_kms(transit[1]).unwrap(blob, context=CONTEXT)


def test_a_wrong_vault_token_and_a_closed_port_are_unavailable(
    transit: tuple[type[FakeTransit], int],
) -> None:
    with pytest.raises(KeyServiceUnavailable):
        _build_vault_kms(transit[1], token="guessed").wrap(SECRET, context=CONTEXT)
    with pytest.raises(KeyServiceUnavailable):
        _build_vault_kms(1).wrap(SECRET, context=CONTEXT)


def test_an_aws_that_throttles_is_unavailable() -> None:
    client = FakeAws()
    kms = AwsKms(client, key_id="arn", failures=(FakeAwsError,))
    client.failing = "ThrottlingException"
    with pytest.raises(KeyServiceUnavailable):
        kms.wrap(SECRET, context=CONTEXT)


def test_the_url_selects_the_key_service(tmp_path: Path) -> None:
    assert isinstance(create_kms_from_url((tmp_path / "eu.key").as_uri()), LocalKms)
    assert isinstance(
        create_kms_from_url("vault://vault.example:8200/team/transit/eu", environ={"VAULT_TOKEN": "t"}),
        VaultKms,
    )


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file://host/key",
        "file:key",
        "awskms://",
        "awskms://eu-west-1/",
        "vault://host/key",
        "http://host/a/b",
    ],
)
def test_a_wrong_url_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(ValueError, match=r"^A key service URL is [^\n]*\.$"):
        create_kms_from_url(url, environ={"VAULT_TOKEN": "t"})


def test_credentials_in_the_url_are_refused() -> None:
    with pytest.raises(ValueError, match="holds no credentials"):
        create_kms_from_url("vault://user:secret@host/transit/eu", environ={})


def test_a_vault_without_a_token_is_refused() -> None:
    with pytest.raises(ValueError, match="VAULT_TOKEN"):
        create_kms_from_url("vault://host/transit/eu", environ={})
