from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import IO

import numpy as np
import pytest
from numpy.typing import NDArray

from tenants.crypto import BoundCipher
from tenants.crypto.aead import CIPHERTEXT_OFFSET, HEADER_BYTES, NONCE_BYTES
from tests.proofs import Scale

FORKS = 4
_BATCH = 5_000
_SINGLY = 50  # of each batch, through `seal` instead of `seal_many`


def _nonces(cipher: BoundCipher, count: int) -> bytes:
    sealed = cipher.seal_many([b""] * (count - _SINGLY), [b"row"] * (count - _SINGLY))
    sealed += [cipher.seal(b"", b"row") for _ in range(_SINGLY)]
    return b"".join(blob[HEADER_BYTES:CIPHERTEXT_OFFSET] for blob in sealed)


def _forked(cipher: BoundCipher, batches: int) -> IO[bytes]:
    """The nonces of a process that was forked just now and goes on with this process's cipher."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                for _ in range(batches):
                    pipe.write(_nonces(cipher, _BATCH))
        finally:
            os._exit(0)
    os.close(writer)
    return os.fdopen(reader, "rb")


def _drained(pipes: list[IO[bytes]], size: int) -> NDArray[np.uint8]:
    """All pipes at once, each into its own part of one array of 12 bytes a nonce."""
    drawn = np.zeros((len(pipes), size), np.uint8)

    def drain(number: int) -> None:
        with pipes[number] as pipe:
            part, at = memoryview(drawn[number]), 0  # type: ignore[arg-type]
            while at < size and (read := pipe.readinto(part[at:])):  # type: ignore[attr-defined]
                at += read
        assert at == size

    threads = [threading.Thread(target=drain, args=(number,)) for number in range(len(pipes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return drawn.reshape(-1, NONCE_BYTES)


def repeated(nonces: NDArray[np.uint8]) -> int:
    """How many of the rows stand somewhere else too, each pair of neighbours in sorted order once."""
    words = np.ascontiguousarray(nonces).view(">u4").reshape(-1, NONCE_BYTES // 4)
    ordered = words[np.lexsort(words.T)]
    return int((ordered[1:] == ordered[:-1]).all(axis=1).sum())


def test_a_repeated_nonce_would_be_counted() -> None:
    few = np.frombuffer(bytes(range(12)) + bytes(12) + bytes(range(12)), np.uint8).reshape(-1, 12)
    assert repeated(few) == 1
    assert repeated(few[:2]) == 0


# Other tests may have left threads; the child only seals, writes and ends.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.proof(row=9)
@pytest.mark.timeout(900)
def test_no_nonce_repeats_within_and_between_forked_processes(
    cipher: BoundCipher, scale: Scale, figure: Callable[..., bool]
) -> None:
    count = scale(200_000, 5_000_000)
    batches = count // FORKS // _BATCH
    nonces = _drained([_forked(cipher, batches) for _ in range(FORKS)], batches * _BATCH * NONCE_BYTES)
    ended = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(FORKS)]
    assert ended == [0] * FORKS
    assert len(nonces) == count
    n_repeated = repeated(nonces)
    assert figure(
        f"repeated nonces of {FORKS} forked processes", n_repeated, of=count, passes=n_repeated == 0
    )


def test_equal_plaintexts_look_different(cipher: BoundCipher) -> None:
    assert cipher.seal(b"same", b"row") != cipher.seal(b"same", b"row")
