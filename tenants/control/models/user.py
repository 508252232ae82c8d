from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.control.fields import LowercaseEmailField, generate_id, normalize_email
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle


class UserManager(BaseUserManager["User"]):
    """Looks up and creates users by normalized e-mail address."""

    def get_by_natural_key(self, username: str | None) -> User:
        """Returns the user with this address, in any case. Raises User.DoesNotExist."""
        return self.get(email=normalize_email(username or ""))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Creates a user; without a password no sign-in is possible."""
        user = self.model(email=normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Creates platform staff: Django's superuser is here a user who may open the staff pages."""
        return self.create_user(email, password, **{**fields, "is_staff": True})


class User(AbstractBaseUser):
    """An account of a client's team member or of platform staff. End users of clients have no accounts."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.NOTHING, ErasurePolicy.RETAINED_AS_EVIDENCE)

    id = models.UUIDField(
        primary_key=True,
        default=generate_id,
        editable=False,
    )
    email = LowercaseEmailField(_("e-mail"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=16, default="en")
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("platform staff"), default=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
        ordering = ["email"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="control_user_email_lower_case"
            )
        ]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        """Required by Django and unfold."""
        return str(self)

    @property
    def is_superuser(self) -> bool:
        """Always False: no account bypasses permission checks."""
        return False

    def has_perm(self, perm: str, obj: object = None) -> bool:
        """Returns whether the user is active staff. Each staff page restricts what it allows by itself."""
        return self.is_active and self.is_staff

    def has_perms(self, perms: list[str], obj: object = None) -> bool:
        """See has_perm."""
        return self.is_active and self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        """See has_perm."""
        return self.is_active and self.is_staff
