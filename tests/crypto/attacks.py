"""Attacks that present one ciphertext as another. All keys are equal, so only the bound context can refuse."""

from __future__ import annotations

import base64
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import product
from typing import NamedTuple
from uuid import UUID, uuid4

from tenants.crypto import KeyHandle, Keyring, KeyringEntry, Purpose
from tenants.crypto.aead import HEADER_BYTES, build_header
from tenants.crypto.kms import LocalKms
from tenants.crypto.purposes import HASHING_PURPOSES
from tenants.crypto.streams import (
    SEALED_SEGMENT_BYTES,
    SEGMENT_BYTES,
    StreamContext,
    open_segments,
    seal_segments,
)
from tenants.crypto.wrapping import unwrap, wrap
from tenants.errors import DecryptionFailed

PLAINTEXT = b"canary-of-a-customer"
MATERIAL = bytes(range(7, 39))
STREAM_HEAD_BYTES = 24
_SEALING = [purpose for purpose in Purpose if purpose not in HASHING_PURPOSES]
_REGIONS, _TENANTS = ("cn", "eu", "us"), tuple(uuid4() for _ in range(6))
Attempt = Callable[[], object]


def build_keyring(region: str, tenant: UUID, *, sealing: int = 1) -> Keyring:
    """A keyring in which every purpose has the same key material under the same two ids."""
    keys = (
        KeyringEntry(number, purpose, number == sealing, KeyHandle(MATERIAL))
        for purpose, number in product(_SEALING, (1, 2))
    )
    return Keyring(keys, region=region, tenant=tenant)


class Cell(NamedTuple):
    """The location of a value in the database."""

    region: str = "eu"
    tenant: UUID = _TENANTS[0]
    purpose: Purpose = Purpose.REVIEW
    table: str = "review"
    column: str = "body"
    row: bytes = b"row-1"

    def seal(self) -> bytes:
        return self._get_cipher().seal(PLAINTEXT, self.row)

    def open(self, blob: bytes) -> bytes:
        return self._get_cipher().open(blob, self.row)

    def _get_cipher(self):  # type: ignore[no-untyped-def]
        return build_keyring(self.region, self.tenant).get_cipher(
            self.purpose, table=self.table, column=self.column
        )


_CELL_VALUES: dict[str, tuple[object, ...]] = {
    "region": _REGIONS,
    "tenant": _TENANTS,
    "purpose": tuple(_SEALING),
    "table": ("review", "item", "profile", "timeline", "reviewb"),
    "column": ("body", "ody", "title", "note"),
    "row": tuple(f"row-{number}".encode() for number in range(50)),
}


def swap_cells(field_name: str, rng: random.Random) -> Attempt:
    """Opens a value at a location that differs from its own only in `field_name`."""
    source, target = rng.sample(_CELL_VALUES[field_name], 2)
    blob = Cell()._replace(**{field_name: source}).seal()
    return lambda: Cell()._replace(**{field_name: target}).open(blob)


def change_key_id(rng: random.Random) -> Attempt:
    blob = Cell().seal()
    header = rng.choice([build_header(2), build_header(rng.randrange(3, 1 << 31))])
    return lambda: Cell().open(header + blob[HEADER_BYTES:])


def change_suite(rng: random.Random) -> Attempt:
    blob = Cell().seal()
    suite = rng.choice([number for number in range(256) if number != blob[2]])
    return lambda: Cell().open(blob[:2] + bytes([suite]) + blob[3:])


def swap_in_batch(rng: random.Random) -> Attempt:
    """Swaps two rows of one batch."""
    cipher = build_keyring("eu", _TENANTS[0]).get_cipher(Purpose.TIMELINE, table="timeline", column="body")
    rows = [f"row-{number}".encode() for number in range(8)]
    blobs = cipher.seal_many([PLAINTEXT] * 8, rows)
    first_row, second_row = rng.sample(range(8), 2)
    blobs[first_row], blobs[second_row] = blobs[second_row], blobs[first_row]
    return lambda: cipher.open_many(blobs, rows)


STREAM_CONTEXT = StreamContext(purpose=Purpose.MODEL, version="artefact-1", name="weights")
_OTHER_STREAM_CONTEXTS = [
    replace(STREAM_CONTEXT, version="artefact-2"),
    replace(STREAM_CONTEXT, name="manifest"),
    replace(STREAM_CONTEXT, purpose=Purpose.RECEIPT),
    replace(STREAM_CONTEXT, version="artefact-1w", name="eights"),
]
_KEYRING = build_keyring("eu", _TENANTS[0])
_CHUNK = PLAINTEXT * (SEGMENT_BYTES // len(PLAINTEXT)) + PLAINTEXT[: SEGMENT_BYTES % len(PLAINTEXT)]
_CONTENT = _CHUNK * 3 + PLAINTEXT


def seal_stream(
    content: bytes = _CONTENT, *, keyring: Keyring = _KEYRING, stream_context: StreamContext = STREAM_CONTEXT
) -> bytes:
    return b"".join(seal_segments(keyring, BytesIO(content), stream_context=stream_context))


def open_stream(
    blob: bytes, *, keyring: Keyring = _KEYRING, stream_context: StreamContext = STREAM_CONTEXT
) -> bytes:
    return b"".join(open_segments(keyring, BytesIO(blob), stream_context=stream_context))


def _split_chunks(blob: bytes) -> list[bytes]:
    starts = range(STREAM_HEAD_BYTES, len(blob), SEALED_SEGMENT_BYTES)
    return [blob[start : start + SEALED_SEGMENT_BYTES] for start in starts]


_STREAM, _OTHER = seal_stream(), seal_stream()
_WITH_NEWER_KEY = seal_stream(PLAINTEXT, keyring=build_keyring("eu", _TENANTS[0], sealing=2))


def rearrange_chunks(rng: random.Random) -> Attempt:
    """Replaces, drops or repeats segments of a stream, or inserts one of another sealing of the same content."""
    chunks, other_chunks = _split_chunks(_STREAM), _split_chunks(_OTHER)
    index, other = rng.sample(range(len(chunks)), 2)
    changed = rng.choice(
        [
            [*chunks[:index], chunks[other], *chunks[index + 1 :]],
            [*chunks[:index], *chunks[index + 1 :]],
            chunks[:-1],
            chunks[: index + 1] if index + 1 < len(chunks) else [],
            [*chunks[:index], chunks[index], *chunks[index:]],
            [*chunks, chunks[-1]],
            [*chunks[:index], other_chunks[index], *chunks[index + 1 :]],
        ]
    )
    return lambda: open_stream(_STREAM[:STREAM_HEAD_BYTES] + b"".join(changed))


def swap_models(rng: random.Random) -> Attempt:
    blob, other_context = seal_stream(PLAINTEXT), rng.choice(_OTHER_STREAM_CONTEXTS)
    return lambda: open_stream(blob, stream_context=other_context)


def swap_model_owners(rng: random.Random) -> Attempt:
    blob = seal_stream(PLAINTEXT)
    other_owner = rng.choice([("eu", rng.choice(_TENANTS[1:])), (rng.choice(("cn", "us")), _TENANTS[0])])
    return lambda: open_stream(blob, keyring=build_keyring(*other_owner))


def swap_stream_heads(rng: random.Random) -> Attempt:
    """Replaces the key id or the stream id by that of another stream."""
    blob = seal_stream(PLAINTEXT)
    cut = rng.choice([8, STREAM_HEAD_BYTES])
    other = rng.choice([_OTHER, _WITH_NEWER_KEY]) if cut > 8 else _WITH_NEWER_KEY
    return lambda: open_stream(other[:cut] + blob[cut:])


_WRAP_CONTEXT = {
    "use": "purpose-key",
    "region": "eu",
    "tenant": "a",
    "row": "1",
    "purpose": "review",
    "key_id": "1",
    "kek": "1",
}


def swap_wrapped_keys(rng: random.Random) -> Attempt:
    kek, changed = KeyHandle(MATERIAL), rng.choice(list(_WRAP_CONTEXT))
    blob = wrap(kek, KeyHandle(PLAINTEXT.ljust(32, b".")), context=_WRAP_CONTEXT)
    other_context = rng.choice([{**_WRAP_CONTEXT, changed: "2"}, _remove_entry(_WRAP_CONTEXT, changed)])
    return lambda: unwrap(kek, blob, context=other_context)


def build_root_attack(kms: LocalKms) -> Callable[[random.Random], Attempt]:
    def swap_roots(rng: random.Random) -> Attempt:
        changed = rng.choice(list(_WRAP_CONTEXT))
        blob = kms.wrap(PLAINTEXT.ljust(32, b"."), context=_WRAP_CONTEXT)
        return lambda: kms.unwrap(blob, context={**_WRAP_CONTEXT, changed: "2"})

    return swap_roots


def _remove_entry(context: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in context.items() if key != name}


ATTACKS: dict[str, Callable[[random.Random], Attempt]] = {
    **{
        f"between {field_name}s": lambda rng, field_name=field_name: swap_cells(field_name, rng)  # type: ignore[misc]
        for field_name in _CELL_VALUES
    },
    "between key ids": change_key_id,
    "between suites": change_suite,
    "within a batch": swap_in_batch,
    "between chunks": rearrange_chunks,
    "between models": swap_models,
    "between owners of models": swap_model_owners,
    "between heads of streams": swap_stream_heads,
    "between wrapped keys": swap_wrapped_keys,
}


def build_encodings(secret: bytes) -> list[bytes]:
    return [secret, secret.hex().encode(), base64.b64encode(secret)[:-4], repr(secret)[2:-1].encode()]


_SECRETS = [encoding for secret in (PLAINTEXT, MATERIAL) for encoding in build_encodings(secret)]


def get_outcome(attempt: Attempt) -> str:
    """`refused`, or what happened instead."""
    try:
        attempt()
    except Exception as error:
        if type(error) is not DecryptionFailed:
            return f"raised {type(error).__name__}"
        message = " ".join(_iter_messages(error)).encode()
        return "leaked a secret" if any(secret in message for secret in _SECRETS) else "refused"
    return "opened"


def _iter_messages(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield f"{error} {error!r} {error.args} {getattr(error, 'detail', '')}"
        error = error.__cause__ or error.__context__
