"""Who calls: the key in `Authorization: Bearer`."""

from __future__ import annotations

from django.http import HttpRequest

from tenants.control.queries.authentication import authenticate
from tenants.control.read_models import KeyIdentity as Caller
from tenants.errors import Unauthenticated

__all__ = ["Caller", "authenticate_caller"]


def authenticate_caller(request: HttpRequest) -> Caller:
    """Raises Unauthenticated, the same for a missing key as for every kind of bad one; see `authenticate`."""
    kind, _, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() != "bearer" or not key:
        raise Unauthenticated
    return authenticate(key.strip(), remote_ip=request.META.get("REMOTE_ADDR", ""))
