"""The command of docs/operations.md that shreds a tenant."""

from __future__ import annotations

import re
import shlex
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from tenants.errors import DomainError
from tenants.keys.queries import get_keyring
from tenants.regions import TenantRef

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_command_destroys_the_keys_of_the_tenant(make_tenant: Any) -> None:
    tenant: TenantRef = make_tenant(slug="blue-mugs")
    text = " ".join(PAGE.read_text().split())
    [command] = re.findall(r"`manage\.py (close_tenant [^`]*)`", text)
    output = StringIO()
    call_command(*shlex.split(command), stdout=output)
    assert str(tenant.id) in output.getvalue()
    with pytest.raises(DomainError):
        get_keyring(tenant)
