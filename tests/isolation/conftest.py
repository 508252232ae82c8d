from __future__ import annotations

from uuid import uuid4

import pytest

from tenants.regions import TenantRef
from tenants.scope import scope
from tests.isolation.attacks import CANARY, NUMBER

INSERT = """
INSERT INTO data_item (tenant_id, item_no, item_key, live, version, fingerprint, body, created_at, updated_at)
VALUES (%s, %s, %s, true, 1, 'x', %s, now(), now())
"""


@pytest.fixture
def victim(database, actor) -> TenantRef:
    """The attacked tenant. It has one item with a recognizable number and body."""
    ref = TenantRef(uuid4(), "eu")
    with scope(ref, actor=actor) as s:
        s.cursor().execute(INSERT, (ref.id, NUMBER, CANARY.encode()[:16], CANARY.encode()))
    return ref


@pytest.fixture
def attacker(database, actor) -> TenantRef:
    """The attacking tenant. It has one item."""
    ref = TenantRef(uuid4(), "eu")
    with scope(ref, actor=actor) as s:
        s.cursor().execute(INSERT, (ref.id, 1, b"own", b"own"))
    return ref
