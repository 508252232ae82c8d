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


def _collect_nonces(cipher: BoundCipher, count: int) -> bytes:
    sealed = cipher.seal_many([b""] * (count - _SINGLY), [b"row"] * (count - _SINGLY))
    sealed += [cipher.seal(b"", b"row") for _ in range(_SINGLY)]
    return b"".join(blob[HEADER_BYTES:CIPHERTEXT_OFFSET] for blob in sealed)


def _start_fork(cipher: BoundCipher, batches: int) -> IO[bytes]:
    """Forks a process that continues with the cipher of this process. The pipe returns its nonces."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        try:
            os.close(reader)
            with os.fdopen(writer, "wb") as pipe:
                for _ in range(batches):
                    pipe.write(_collect_nonces(cipher, _BATCH))
        finally:
            os._exit(0)
    os.close(writer)
    return os.fdopen(reader, "rb")


def _read_pipes(pipes: list[IO[bytes]], size: int) -> NDArray[np.uint8]:
    """Reads all pipes in parallel into an array of nonces of 12 bytes."""
    content = np.zeros((len(pipes), size), np.uint8)

    def read_pipe(number: int) -> None:
        with pipes[number] as pipe:
            view, offset = memoryview(content[number]), 0  # type: ignore[arg-type]
            while offset < size and (read := pipe.readinto(view[offset:])):  # type: ignore[attr-defined]
                offset += read
        assert offset == size

    threads = [threading.Thread(target=read_pipe, args=(number,)) for number in range(len(pipes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return content.reshape(-1, NONCE_BYTES)


def count_repeats(nonces: NDArray[np.uint8]) -> int:
    """The number of rows that repeat another row."""
    words = np.ascontiguousarray(nonces).view(">u4").reshape(-1, NONCE_BYTES // 4)
    sorted_words = words[np.lexsort(words.T)]
    return int((sorted_words[1:] == sorted_words[:-1]).all(axis=1).sum())


def test_repeated_nonces_are_counted() -> None:
    sample = np.frombuffer(bytes(range(12)) + bytes(12) + bytes(range(12)), np.uint8).reshape(-1, 12)
    assert count_repeats(sample) == 1
    assert count_repeats(sample[:2]) == 0


# Other tests may have left threads; the child only seals, writes and ends.
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.proof(row=9)
@pytest.mark.timeout(900)
def test_no_nonce_repeats_within_and_between_forked_processes(
    cipher: BoundCipher, scale: Scale, figure: Callable[..., bool]
) -> None:
    count = scale(200_000, 5_000_000)
    batches = count // FORKS // _BATCH
    nonces = _read_pipes([_start_fork(cipher, batches) for _ in range(FORKS)], batches * _BATCH * NONCE_BYTES)
    exit_codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(FORKS)]
    assert exit_codes == [0] * FORKS
    assert len(nonces) == count
    n_repeated = count_repeats(nonces)
    assert figure(
        f"repeated nonces of {FORKS} forked processes", n_repeated, of=count, passes=n_repeated == 0
    )


def test_equal_plaintexts_have_different_ciphertexts(cipher: BoundCipher) -> None:
    assert cipher.seal(b"same", b"row") != cipher.seal(b"same", b"row")
