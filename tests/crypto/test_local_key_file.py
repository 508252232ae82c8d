from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tenants.crypto.kms import LocalKms
from tenants.errors import DecryptionFailed, KeyServiceUnavailable

CONTEXT = {"tenant": "a"}
SECRET = bytes(32)


def test_the_key_file_is_created_at_first_use_and_private(tmp_path: Path) -> None:
    LocalKms(tmp_path / "kms" / "eu.key").wrap(SECRET, context=CONTEXT)
    assert stat.S_IMODE((tmp_path / "kms" / "eu.key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "kms").iterdir()] == ["eu.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    kms = LocalKms(tmp_path / "eu.key")
    blob = kms.wrap(SECRET, context=CONTEXT)
    (tmp_path / "eu.key").chmod(mode)
    with pytest.raises(KeyServiceUnavailable, match="0600"):
        kms.unwrap(blob, context=CONTEXT)
    with pytest.raises(KeyServiceUnavailable, match="0600"):
        kms.wrap(SECRET, context=CONTEXT)


def test_a_rotated_key_file_is_private(tmp_path: Path) -> None:
    kms = LocalKms(tmp_path / "eu.key")
    kms.create_key_file()
    kms.rotate()
    assert stat.S_IMODE((tmp_path / "eu.key").stat().st_mode) == 0o600


def test_unwrapping_does_not_create_a_missing_key_file(tmp_path: Path) -> None:
    kms = LocalKms(tmp_path / "eu.key")
    blob = kms.wrap(SECRET, context=CONTEXT)
    (tmp_path / "eu.key").unlink()
    with pytest.raises(KeyServiceUnavailable):
        kms.unwrap(blob, context=CONTEXT)
    assert list(tmp_path.iterdir()) == []


def test_another_file_refuses_the_blob(tmp_path: Path) -> None:
    blob = LocalKms(tmp_path / "eu.key").wrap(SECRET, context=CONTEXT)
    other = LocalKms(tmp_path / "cn.key")
    other.create_key_file()
    with pytest.raises(DecryptionFailed):
        other.unwrap(blob, context=CONTEXT)


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"newest": 2, "keys": {"1": "AAAA"}}'])
def test_a_broken_file_is_unavailable(tmp_path: Path, content: str) -> None:
    path = tmp_path / "eu.key"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(KeyServiceUnavailable):
        LocalKms(path).wrap(SECRET, context=CONTEXT)


def test_concurrent_first_uses_agree_on_one_key(tmp_path: Path) -> None:
    kms = LocalKms(tmp_path / "eu.key")
    with ThreadPoolExecutor(8) as threads:
        blobs = list(threads.map(lambda _: kms.wrap(SECRET, context=CONTEXT), range(32)))
    assert {kms.unwrap(blob, context=CONTEXT) for blob in blobs} == {SECRET}
