"""Ways to pass one ciphertext for another. All keys are the same, so only what is bound can refuse."""

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


def ring(region: str, tenant: UUID, *, sealing: int = 1) -> Keyring:
    """Every purpose has the same key material under the same two ids."""
    keys = (
        KeyringEntry(number, purpose, number == sealing, KeyHandle(MATERIAL))
        for purpose, number in product(_SEALING, (1, 2))
    )
    return Keyring(keys, region=region, tenant=tenant)


class Cell(NamedTuple):
    """The place of a value in the database."""

    region: str = "eu"
    tenant: UUID = _TENANTS[0]
    purpose: Purpose = Purpose.REVIEW
    table: str = "review"
    column: str = "body"
    row: bytes = b"row-1"

    def seal(self) -> bytes:
        return self._cipher().seal(PLAINTEXT, self.row)

    def open(self, blob: bytes) -> bytes:
        return self._cipher().open(blob, self.row)

    def _cipher(self):  # type: ignore[no-untyped-def]
        return ring(self.region, self.tenant).get_cipher(self.purpose, table=self.table, column=self.column)


_ELSEWHERE: dict[str, tuple[object, ...]] = {
    "region": _REGIONS,
    "tenant": _TENANTS,
    "purpose": tuple(_SEALING),
    "table": ("review", "item", "profile", "timeline", "reviewb"),
    "column": ("body", "ody", "title", "note"),
    "row": tuple(f"row-{number}".encode() for number in range(50)),
}


def between_cells(what: str, draw: random.Random) -> Attempt:
    """A value of one place at a place that differs in `what` only."""
    source, target = draw.sample(_ELSEWHERE[what], 2)
    blob = Cell()._replace(**{what: source}).seal()
    return lambda: Cell()._replace(**{what: target}).open(blob)


def between_key_ids(draw: random.Random) -> Attempt:
    blob = Cell().seal()
    claimed = draw.choice([build_header(2), build_header(draw.randrange(3, 1 << 31))])
    return lambda: Cell().open(claimed + blob[HEADER_BYTES:])


def between_suites(draw: random.Random) -> Attempt:
    blob = Cell().seal()
    suite = draw.choice([number for number in range(256) if number != blob[2]])
    return lambda: Cell().open(blob[:2] + bytes([suite]) + blob[3:])


def in_a_batch(draw: random.Random) -> Attempt:
    """Two neighbours of one batch change places."""
    cipher = ring("eu", _TENANTS[0]).get_cipher(Purpose.TIMELINE, table="timeline", column="body")
    rows = [f"row-{number}".encode() for number in range(8)]
    blobs = cipher.seal_many([PLAINTEXT] * 8, rows)
    first, second = draw.sample(range(8), 2)
    blobs[first], blobs[second] = blobs[second], blobs[first]
    return lambda: cipher.open_many(blobs, rows)


PLACE = StreamContext(purpose=Purpose.MODEL, version="artefact-1", name="weights")
_PLACES = [
    replace(PLACE, version="artefact-2"),
    replace(PLACE, name="manifest"),
    replace(PLACE, purpose=Purpose.RECEIPT),
    replace(PLACE, version="artefact-1w", name="eights"),
]
_RING = ring("eu", _TENANTS[0])
_CHUNK = PLAINTEXT * (SEGMENT_BYTES // len(PLAINTEXT)) + PLAINTEXT[: SEGMENT_BYTES % len(PLAINTEXT)]
_CONTENT = _CHUNK * 3 + PLAINTEXT


def sealed_stream(
    content: bytes = _CONTENT, *, keyring: Keyring = _RING, place: StreamContext = PLACE
) -> bytes:
    return b"".join(seal_segments(keyring, BytesIO(content), stream_context=place))


def opened_stream(blob: bytes, *, keyring: Keyring = _RING, place: StreamContext = PLACE) -> bytes:
    return b"".join(open_segments(keyring, BytesIO(blob), stream_context=place))


def _chunks(blob: bytes) -> list[bytes]:
    starts = range(STREAM_HEAD_BYTES, len(blob), SEALED_SEGMENT_BYTES)
    return [blob[start : start + SEALED_SEGMENT_BYTES] for start in starts]


_STREAM, _OTHER = sealed_stream(), sealed_stream()
_WITH_NEWER_KEY = sealed_stream(PLAINTEXT, keyring=ring("eu", _TENANTS[0], sealing=2))


def between_chunks(draw: random.Random) -> Attempt:
    """Chunks of a model's file reordered, dropped, repeated or taken from another sealing of the same file."""
    chunks, other_chunks = _chunks(_STREAM), _chunks(_OTHER)
    at, other = draw.sample(range(len(chunks)), 2)
    changed = draw.choice(
        [
            [*chunks[:at], chunks[other], *chunks[at + 1 :]],
            [*chunks[:at], *chunks[at + 1 :]],
            chunks[:-1],
            chunks[: at + 1] if at + 1 < len(chunks) else [],
            [*chunks[:at], chunks[at], *chunks[at:]],
            [*chunks, chunks[-1]],
            [*chunks[:at], other_chunks[at], *chunks[at + 1 :]],
        ]
    )
    return lambda: opened_stream(_STREAM[:STREAM_HEAD_BYTES] + b"".join(changed))


def between_models(draw: random.Random) -> Attempt:
    blob, elsewhere = sealed_stream(PLAINTEXT), draw.choice(_PLACES)
    return lambda: opened_stream(blob, place=elsewhere)


def between_owners_of_models(draw: random.Random) -> Attempt:
    blob = sealed_stream(PLAINTEXT)
    elsewhere = draw.choice([("eu", draw.choice(_TENANTS[1:])), (draw.choice(("cn", "us")), _TENANTS[0])])
    return lambda: opened_stream(blob, keyring=ring(*elsewhere))


def between_stream_heads(draw: random.Random) -> Attempt:
    """The key id or the stream's id of another stream."""
    blob = sealed_stream(PLAINTEXT)
    cut = draw.choice([8, STREAM_HEAD_BYTES])
    other = draw.choice([_OTHER, _WITH_NEWER_KEY]) if cut > 8 else _WITH_NEWER_KEY
    return lambda: opened_stream(other[:cut] + blob[cut:])


_KEY_PLACE = {
    "use": "purpose-key",
    "region": "eu",
    "tenant": "a",
    "row": "1",
    "purpose": "review",
    "key_id": "1",
    "kek": "1",
}


def between_wrapped_keys(draw: random.Random) -> Attempt:
    kek, changed = KeyHandle(MATERIAL), draw.choice(list(_KEY_PLACE))
    blob = wrap(kek, KeyHandle(PLAINTEXT.ljust(32, b".")), context=_KEY_PLACE)
    elsewhere = draw.choice([{**_KEY_PLACE, changed: "2"}, _without(_KEY_PLACE, changed)])
    return lambda: unwrap(kek, blob, context=elsewhere)


def between_roots(kms: LocalKms) -> Callable[[random.Random], Attempt]:
    def attack(draw: random.Random) -> Attempt:
        changed = draw.choice(list(_KEY_PLACE))
        blob = kms.wrap(PLAINTEXT.ljust(32, b"."), context=_KEY_PLACE)
        return lambda: kms.unwrap(blob, context={**_KEY_PLACE, changed: "2"})

    return attack


def _without(context: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in context.items() if key != name}


ATTACKS: dict[str, Callable[[random.Random], Attempt]] = {
    **{
        f"between {what}s": lambda draw, what=what: between_cells(what, draw)  # type: ignore[misc]
        for what in _ELSEWHERE
    },
    "between key ids": between_key_ids,
    "between suites": between_suites,
    "within a batch": in_a_batch,
    "between chunks": between_chunks,
    "between models": between_models,
    "between owners of models": between_owners_of_models,
    "between heads of streams": between_stream_heads,
    "between wrapped keys": between_wrapped_keys,
}


def spellings(secret: bytes) -> list[bytes]:
    return [secret, secret.hex().encode(), base64.b64encode(secret)[:-4], repr(secret)[2:-1].encode()]


_SECRETS = [form for secret in (PLAINTEXT, MATERIAL) for form in spellings(secret)]


def outcome(attempt: Attempt) -> str:
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
