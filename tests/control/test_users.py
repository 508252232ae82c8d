"""Accounts: one address is one account, and passwords are hashed with argon2."""

from __future__ import annotations

import secrets

import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError

from tenants.control.actions import create_user, set_password, update_user
from tenants.control.models import User
from tenants.errors import Conflict, Invalid, NotFound
from tenants.scope import Actor

PASSWORD = "correct-horse-battery"


def generate_email() -> str:
    return f"{secrets.token_hex(6)}@example.com"


def test_one_address_is_one_account_in_any_case(database: None, actor: Actor) -> None:
    email = generate_email()
    create_user(email=email.upper(), actor=actor)
    with pytest.raises(Conflict):
        create_user(email=f" {email.title()}", actor=actor)
    assert User.objects.get(email=email.swapcase()).email == email


def test_the_database_refuses_capital_letters(database: None, superuser: object) -> None:
    user = User(email=generate_email())
    connection = superuser()  # type: ignore[operator]
    with pytest.raises(Exception, match="email_lower_case"):
        connection.execute(
            "INSERT INTO control_user (id, password, email, name, language, is_active, is_staff, created_at) "
            "VALUES (%s, '', 'A@example.com', '', 'en', true, false, now())",
            [user.id],
        )


def test_passwords_are_hashed_with_argon2_and_open_the_account(database: None, actor: Actor) -> None:
    user = create_user(email=generate_email(), password=PASSWORD, actor=actor)
    assert user.password.startswith("argon2")
    assert authenticate(None, username=user.email.upper(), password=PASSWORD) == user


def test_an_account_without_a_password_cannot_sign_in(database: None, actor: Actor) -> None:
    user = create_user(email=generate_email(), actor=actor)
    assert authenticate(None, username=user.email, password="") is None


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"email": "not an address"}, "/email"),
        ({"language": "tlh"}, "/language"),
        ({"password": "short"}, "/password"),
        ({"password": "password123"}, "/password"),
    ],
)
def test_wrong_fields_are_reported(
    database: None, actor: Actor, fields: dict[str, str], pointer: str
) -> None:
    with pytest.raises(Invalid) as caught:
        create_user(**{"email": generate_email(), **fields}, actor=actor)
    assert {error.pointer for error in caught.value.errors} == {pointer}


def test_a_deactivated_account_cannot_sign_in(database: None, actor: Actor) -> None:
    user = create_user(email=generate_email(), password=PASSWORD, actor=actor)
    update_user(user.id, actor=actor, is_active=False)
    assert authenticate(None, username=user.email, password=PASSWORD) is None


def test_a_new_password_replaces_the_old_one(database: None, actor: Actor) -> None:
    user = create_user(email=generate_email(), password=PASSWORD, actor=actor)
    set_password(user.id, "another-long-phrase", actor=actor)
    assert authenticate(None, username=user.email, password=PASSWORD) is None
    assert authenticate(None, username=user.email, password="another-long-phrase") == user


def test_an_absent_account_is_not_found(database: None, actor: Actor) -> None:
    with pytest.raises(NotFound):
        update_user(User().id, actor=actor, name="nobody")


def test_only_staff_have_permissions_in_the_admin(database: None, actor: Actor) -> None:
    user_without_role = create_user(email=generate_email(), actor=actor)
    staff = create_user(email=generate_email(), is_staff=True, actor=actor)
    inactive = update_user(
        create_user(email=generate_email(), is_staff=True, actor=actor).id, actor=actor, is_active=False
    )
    assert [user.has_perm("control.view_tenant") for user in (user_without_role, staff, inactive)] == [
        False,
        True,
        False,
    ]


def test_a_user_with_memberships_cannot_be_deleted(make_tenant: object, actor: Actor) -> None:
    owner = create_user(email=generate_email(), actor=actor)
    make_tenant(owner=owner)  # type: ignore[operator]
    with pytest.raises(IntegrityError):
        User.objects.filter(id=owner.id)._raw_delete("default")
