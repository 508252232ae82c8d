from __future__ import annotations

import os

from tenants.crypto import BoundCipher
from tenants.crypto.aead import BODY_AT, HEAD_BYTES


def _nonces(cipher: BoundCipher, count: int) -> list[bytes]:
    sealed = cipher.seal_many([b""] * count, [b"row"] * count) + [
        cipher.seal(b"", b"row") for _ in range(100)
    ]
    return [blob[HEAD_BYTES:BODY_AT] for blob in sealed]


def _nonces_of_a_fork(cipher: BoundCipher, count: int) -> list[bytes]:
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.write(writer, b"".join(_nonces(cipher, count)))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    os.wait()
    return [content[at : at + 12] for at in range(0, len(content), 12)]


def test_no_nonce_repeats_in_one_process(cipher: BoundCipher) -> None:
    nonces = _nonces(cipher, 200_000)
    assert len(set(nonces)) == len(nonces) == 200_100


def test_no_nonce_repeats_between_forked_processes(cipher: BoundCipher) -> None:
    nonces = _nonces_of_a_fork(cipher, 2_000) + _nonces_of_a_fork(cipher, 2_000) + _nonces(cipher, 2_000)
    assert len(set(nonces)) == len(nonces) == 6_300


def test_equal_plaintexts_look_different(cipher: BoundCipher) -> None:
    assert cipher.seal(b"same", b"row") != cipher.seal(b"same", b"row")
