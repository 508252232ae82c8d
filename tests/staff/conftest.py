"""Somebody of the platform's staff, and somebody who is not."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from lepton_platform.staff import figures
from tenants.control.actions import create_user
from tenants.control.models import User
from tenants.scope import Actor

PASSWORD = "correct-horse-battery"
NewUser = Callable[..., User]


@pytest.fixture(autouse=True)
def fresh_figures(settings: Any) -> Iterator[None]:
    settings.LEPTON_STAFF_NEEDS_MFA = False
    figures._cached_events = None
    yield
    figures._cached_events = None


@pytest.fixture
def new_user(database: None, actor: Actor) -> NewUser:
    def make(**fields: Any) -> User:
        return create_user(
            email=f"{secrets.token_hex(6)}@example.com", password=PASSWORD, actor=actor, **fields
        )

    return make


@pytest.fixture
def staff_user(new_user: NewUser) -> User:
    return new_user(name="Ada Ops", is_staff=True)


@pytest.fixture
def staff(staff_user: User) -> Client:
    """A browser in which staff are signed in."""
    browser = Client()
    browser.force_login(staff_user, "django.contrib.auth.backends.ModelBackend")
    return browser
