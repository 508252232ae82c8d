from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from tenants.base import ScopedManager
from tenants.control.fields import generate_id
from tenants.control.models.tenant import Tenant
from tenants.control.models.user import User
from tenants.control.roles import MemberRole
from tenants.lifecycle import ErasurePolicy, ExportPolicy, Lifecycle
from tenants.rls import MembershipPolicy


class Member(models.Model):
    """A user's membership of a tenant, with a role."""

    lifecycle: ClassVar[Lifecycle] = Lifecycle(None, ExportPolicy.WITH_TENANT, ErasurePolicy.WITH_TENANT)

    id = models.UUIDField(
        primary_key=True,
        default=generate_id,
        editable=False,
    )
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="members")
    user = models.ForeignKey(User, models.PROTECT, related_name="memberships")
    role = models.CharField(_("role"), max_length=16, choices=MemberRole.choices)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    objects: ClassVar[models.Manager[Self]] = ScopedManager()  # type: ignore[assignment]

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        base_manager_name = "objects"
        constraints = [
            MembershipPolicy(name="control_member_policy"),
            models.UniqueConstraint(fields=["tenant", "user"], name="control_member_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=MemberRole.values), name="control_member_role_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"
