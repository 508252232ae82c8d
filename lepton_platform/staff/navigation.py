"""Sidebar, account menu and assets of the staff pages, as callables for unfold's settings."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

_PAGES = (
    (_("Dashboard"), "dashboard", "admin:index"),
    (_("Tenants"), "apartment", "admin:control_tenant_changelist"),
    (_("Regions"), "public", "admin:control_region_changelist"),
    (_("Users"), "group", "admin:control_user_changelist"),
    (_("Jobs"), "model_training", "admin:jobs"),
    (_("Audit log"), "history", "admin:control_auditentry_changelist"),
)


def build_sidebar(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001 - unfold's signature
    """Returns the groups of the sidebar; the platform has one."""
    items = [{"title": title, "icon": icon, "link": reverse_lazy(page)} for title, icon, page in _PAGES]
    return [{"title": _("Platform"), "items": items}]


def get_favicon_url(request: HttpRequest) -> str:  # noqa: ARG001 - unfold's signature
    """Returns the address of the icon, which the portal uses too."""
    return static("portal/favicon.svg")


def get_stylesheet_url(request: HttpRequest) -> str:  # noqa: ARG001 - unfold's signature
    """Returns the address of the style sheet that is loaded after unfold's own."""
    return static("staff/staff.css")


def build_account_menu(request: HttpRequest) -> list[dict[str, Any]]:  # noqa: ARG001 - unfold's signature
    """Returns the links of the account menu."""
    return [
        {"title": _("Portal"), "link": reverse_lazy("portal:home")},
        {"title": _("Change password"), "link": reverse_lazy("account_change_password")},
        {"title": _("Two-step sign-in"), "link": reverse_lazy("mfa_index")},
    ]
