"""The steps of docs/operations.md that shred a tenant."""

from __future__ import annotations

from typing import Any

import pytest

from tenants.errors import DomainError
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef
from tests.docs.markdown import open_document


def test_the_steps_destroy_the_keys_of_the_tenant(make_tenant: Any) -> None:
    tenant: TenantRef = make_tenant(slug="blue-mugs")
    [block] = open_document("docs/operations.md").list_blocks("python")
    namespace: dict[str, Any] = {}
    exec(block.code, namespace)  # noqa: S102
    assert str(tenant.id) in namespace["certificate"].body.decode()
    with pytest.raises(DomainError):
        get_keyring(tenant)
