from __future__ import annotations

from typing import TypedDict, Unpack
from uuid import UUID

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from tenants import audit
from tenants.control.fields import normalize_email
from tenants.control.models import User
from tenants.errors import Conflict, FieldError, Invalid, NotFound
from tenants.scope import Actor, control_ops


class UserChanges(TypedDict, total=False):
    """The fields of a user that can be changed."""

    name: str
    language: str
    is_active: bool
    is_staff: bool


def create_user(
    *,
    email: str,
    actor: Actor,
    name: str = "",
    language: str = "en",
    password: str | None = None,
    is_staff: bool = False,
) -> User:
    """Creates an account. Without a password no sign-in is possible until one is set.

    Args:
        email: Stored in lower case; unique.
        actor: Recorded in the audit log.
        name: Display name.
        language: One of settings.LANGUAGES.
        password: Checked by Django's validators; None for no password.
        is_staff: Whether the account may use the staff pages.

    Raises:
        Invalid: One error per wrong field.
        Conflict: The address has an account.
    """
    user = build_user(
        email=email,
        name=name,
        language=language,
        password=password,
        is_staff=is_staff,
    )
    with control_ops("users", actor=actor, reason="create a user") as s:
        insert_user(user)
        audit.record_entry(s, "user.created", str(user.id), staff=is_staff)
    return user


def update_user(user_id: UUID, *, actor: Actor, **changes: Unpack[UserChanges]) -> User:
    """Changes fields of a user. Raises NotFound, Invalid."""
    if "language" in changes:
        _raise_if_invalid(_check_language(changes["language"]))
    with control_ops("users", actor=actor, reason="change a user") as s:
        user = User.objects.select_for_update().filter(id=user_id).first()
        if user is None:
            raise NotFound("There is no such user.")
        for field, value in changes.items():
            setattr(user, field, value)
        user.save(update_fields=list(changes))
        audit.record_entry(s, "user.changed", str(user.id), fields=", ".join(sorted(changes)))
    return user


def set_password(user_id: UUID, password: str, *, actor: Actor) -> None:
    """Sets a password. Raises NotFound, and Invalid for a weak password."""
    with control_ops("users", actor=actor, reason="set a password") as s:
        user = User.objects.select_for_update().filter(id=user_id).first()
        if user is None:
            raise NotFound("There is no such user.")
        _raise_if_invalid(_check_password(user, password))
        user.set_password(password)
        user.save(update_fields=["password"])
        audit.record_entry(s, "user.password_set", str(user.id))


def build_user(
    *,
    email: str,
    name: str,
    language: str,
    password: str | None,
    is_staff: bool,
) -> User:
    """Builds an unsaved user with a hashed password. Hashing is slow, so call it outside a transaction. Raises Invalid."""
    user = User(
        email=normalize_email(email),
        name=name.strip(),
        language=language,
        is_staff=is_staff,
    )
    _raise_if_invalid(
        [*_check_email(user.email), *_check_language(language), *_check_password(user, password)]
    )
    user.set_password(password)
    return user


def insert_user(user: User) -> None:
    """Inserts the user within a savepoint, so the outer transaction stays usable. Raises Conflict for a known address."""
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("This e-mail address has an account already.") from error


def _check_email(email: str) -> list[FieldError]:
    try:
        validate_email(email)
    except ValidationError:
        return [FieldError("/email", "invalid_email", "This is not an e-mail address.")]
    return []


def _check_language(language: str) -> list[FieldError]:
    if language in dict(settings.LANGUAGES):
        return []
    return [FieldError("/language", "unknown_language", f"The platform does not speak {language!r}.")]


def _check_password(user: User, password: str | None) -> list[FieldError]:
    if password is None:
        return []
    try:
        validate_password(password, user)
    except ValidationError as error:
        return [FieldError("/password", "weak_password", message) for message in error.messages]
    return []


def _raise_if_invalid(errors: list[FieldError]) -> None:
    if errors:
        raise Invalid(errors)
