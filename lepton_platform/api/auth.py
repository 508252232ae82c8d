"""Authentication of API requests by the key in `Authorization: Bearer`."""

from __future__ import annotations

from django.http import HttpRequest

from tenants.control.queries.authentication import authenticate
from tenants.control.read_models import KeyIdentity as Caller
from tenants.errors import Unauthenticated

__all__ = ["Caller", "authenticate_caller"]


def authenticate_caller(request: HttpRequest) -> Caller:
    """Returns the identity of the request's API key.

    Raises Unauthenticated. The error is the same for a missing, malformed, unknown, expired or revoked key, so that it
    can't be used to probe for keys.
    """
    header = request.META.get("HTTP_AUTHORIZATION", "")
    scheme, _, key = header.partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated
    return authenticate(key.strip(), remote_ip=request.META.get("REMOTE_ADDR", ""))
