"""The commands that an operator runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from recommender.serving.snapshot import cache
from tenants.regions import TenantRef
from tenants.scope import Actor
from tests.training.tenants import ingest_events, walk_in_order


@pytest.fixture(autouse=True)
def stop_snapshot_loading() -> Iterator[None]:
    yield
    cache.stop_snapshot_cache()


def test_train_publishes_and_recommend_explains(make_tenant: Callable[..., TenantRef], actor: Actor) -> None:
    slug, out = f"t-{secrets.token_hex(5)}", StringIO()
    ingest_events(make_tenant(slug=slug), actor, walk_in_order)
    call_command("train", tenant=slug, stdout=out)
    call_command("recommend", tenant=slug, profile_id="p0", k=3, reasons=True, stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == "v1 is active."
    assert any(line.startswith("popularity") for line in lines)
    assert "stage model, model v1" in lines
    assert any("i8" in line for line in lines)
    assert any("Often chosen with or after" in line for line in lines)


def test_training_an_empty_catalogue_fails_with_a_reason(make_tenant: Callable[..., TenantRef]) -> None:
    slug = f"t-{secrets.token_hex(5)}"
    make_tenant(slug=slug)
    with pytest.raises(CommandError, match="The catalogue is empty"):
        call_command("train", tenant=slug)


@pytest.mark.parametrize("command", ["train", "recommend"])
def test_an_unknown_tenant_is_a_command_error(command: str, database: None) -> None:
    with pytest.raises(CommandError, match="no tenant 'nobody-here'"):
        call_command(command, tenant="nobody-here")
