"""Baseline views, served by the processes that serve the measured API. They exist only in `bench.urls`."""

from __future__ import annotations

import msgspec
from django.db import connections
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from tenants.control.queries import authenticate
from tenants.control.read_models import KeyIdentity
from tenants.data.types import EventInput
from tenants.regions import get_data_alias
from tenants.scope import scope


class _EventsBody(msgspec.Struct):
    """The body of the API's `/events`."""

    events: list[EventInput]


_decode = msgspec.json.Decoder(_EventsBody)
_INSERT_PLAIN_EVENTS = """
INSERT INTO bench_plain_event (owner_id, profile_id, item_id, kind, at, value, event_id)
SELECT %s, p, i, k, a, v, e
FROM unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::float8[], %s::text[]) AS t(p, i, k, a, v, e)
"""


def _authenticate_caller(request: HttpRequest) -> KeyIdentity:
    key = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ")
    return authenticate(key, remote_ip=request.META.get("REMOTE_ADDR", ""))


@csrf_exempt
def hello_view(_request: HttpRequest) -> HttpResponse:
    """The cost of server and middleware alone."""
    return HttpResponse(b"{}", content_type="application/json")


@csrf_exempt
def rls_view(request: HttpRequest) -> HttpResponse:
    """Authenticates, opens the scope and reads one row under row-level security."""
    identity = _authenticate_caller(request)
    with scope(identity.tenant, actor=identity.actor) as s:
        sql = "SELECT catalogue_version FROM data_tenantstate WHERE tenant_id = %s"
        row = s.cursor().execute(sql, (identity.tenant.id,)).fetchone()
    version = row[0] if row else None
    return HttpResponse(msgspec.json.encode({"version": version}), content_type="application/json")


@csrf_exempt
def insert_plain_events(request: HttpRequest) -> HttpResponse:
    """Ingestion without isolation and encryption: authenticates, decodes and inserts all rows in one statement."""
    identity = _authenticate_caller(request)
    events = _decode.decode(request.body).events
    # One array a column: unnest() turns them into rows, in one round trip for any batch size.
    columns = (
        [event.profile_id for event in events],
        [event.item_id for event in events],
        [event.kind for event in events],
        [event.at for event in events],
        [event.value for event in events],
        [event.id for event in events],
    )
    with connections[get_data_alias(identity.tenant.region)].cursor() as cursor:
        cursor.execute(_INSERT_PLAIN_EVENTS, (identity.tenant.id, *columns))
    return HttpResponse(msgspec.json.encode({"accepted": len(events)}), content_type="application/json")
