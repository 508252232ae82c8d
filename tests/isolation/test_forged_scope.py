"""A claim that was forged, altered, stolen or made for another database opens nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connections

from tenants.data.actions.jobs import request_job
from tenants.regions import TenantRef
from tenants.scope import LIFETIME, scope, sign_claim
from tests.isolation.attacks import ALIAS, NUMBER, everything_said
from tests.isolation.catalogue import ALIASES

pytestmark = pytest.mark.proof(row=5)

TABLE = {"default": "control_apikey", "data": "data_job", "keys": "keys_tenantkey"}


@contextlib.contextmanager
def claimed(alias: str, claim: str) -> Iterator[psycopg.Cursor[Any]]:
    """A connection of `alias` in a transaction with a claim that came from elsewhere."""
    connections[alias].ensure_connection()
    with connections[alias].connection.transaction(force_rollback=True):
        cursor = psycopg.Cursor(connections[alias].connection)
        cursor.execute("SELECT set_config('app.scope', %s, true)", (claim,))
        yield cursor


def replayed(alias: str, claim: str) -> str:
    """What the database says to such a claim, in whose scope no row need be."""
    with claimed(alias, claim) as cursor:
        try:
            statement = f"SELECT app.is_ops(), count(*) FROM {TABLE[alias.partition('_')[0]]}"
            return str(cursor.execute(statement).fetchone())
        except psycopg.errors.InsufficientPrivilege as error:
            return str(error.diag.message_primary)


@pytest.mark.parametrize("kind", ["tenant:{}", "user:{}", "ops:sweeper"])
def test_a_claim_of_one_database_is_forged_in_every_other(kind, database, figure):
    pairs = list(permutations(ALIASES, 2))
    claim = kind.format(uuid4())
    accepted = [(a, b) for a, b in pairs if replayed(b, sign_claim(a, claim, LIFETIME)) != "forged scope"]
    assert [
        replayed(a, sign_claim(a, claim, LIFETIME))
        for a in ALIASES
        if "scope" in replayed(a, sign_claim(a, claim, LIFETIME))
    ] == []
    what = f"databases that believed another one's claim ({kind.partition(':')[0]})"
    assert figure(what, len(accepted), of=len(pairs), passes=not accepted), accepted


def altered(stolen: str, mine: UUID, other: UUID) -> dict[str, str]:
    body, _, signature = stolen.rpartition("|")
    claim, _, expiry = body.partition("|")
    flipped = "0" if signature[0] != "0" else "1"
    return {
        "another tenant": stolen.replace(str(other), str(mine)),
        "no tenant": stolen.replace(f"tenant:{other}", "ops:sweeper"),
        "as a user": stolen.replace("tenant:", "user:"),
        "a later end": f"{claim}|{int(expiry) + 3600}|{signature}",
        "an end without digits": f"{claim}|infinity|{signature}",
        "no end": f"{claim}|{signature}",
        "a second end": f"{claim}|{expiry}|9999999999|{signature}",
        "no signature": body,
        "an empty signature": f"{body}|",
        "a short signature": stolen[:-1],
        "a long signature": f"{stolen}0",
        "one bit": f"{body}|{flipped}{signature[1:]}",
        "capitals": f"{body}|{signature.upper()}",
        "spaces": f" {stolen} ",
        "a zero byte's escape": f"{body}\\0|{signature}",
        "nothing": "",
    }


def test_a_stolen_claim_cannot_be_altered(mine, other, figure):
    stolen = sign_claim(ALIAS, f"tenant:{other.id}", LIFETIME)
    tried = altered(stolen, mine.id, other.id)
    outcomes = {name: replayed(ALIAS, claim) for name, claim in tried.items()}
    accepted = {name: text for name, text in outcomes.items() if not text.startswith(("forged", "no scope"))}
    assert figure("altered claims that were believed", len(accepted), of=len(tried), passes=not accepted), (
        accepted
    )


@pytest.mark.parametrize("claim", ["tenant:{}", "user:{}", "ops:sweeper"])
def test_a_stolen_claim_ends(database, claim):
    stolen = sign_claim(ALIAS, claim.format(uuid4()), -LIFETIME)
    assert replayed(ALIAS, stolen) == "expired scope"
    with (
        claimed(ALIAS, stolen) as cursor,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="expired"),
    ):
        cursor.execute("SELECT app.is_ops()")
    assert LIFETIME.total_seconds() <= 300


@pytest.mark.parametrize(
    "table", ["data_item", "data_timeline", "data_profile", "data_receipt", "recommender_modelversion"]
)
def test_a_claim_for_operations_opens_no_table_of_a_tenant(other, table):
    with (
        claimed(ALIAS, sign_claim(ALIAS, "ops:sweeper", LIFETIME)) as cursor,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="no tenant"),
    ):
        cursor.execute(f"SELECT count(*) FROM {table} WHERE tenant_id = '{other.id}'")


@pytest.mark.parametrize("claim", ["tenant:{}", "user:{}"])
def test_only_a_claim_for_operations_sees_every_job(tenant, actor, claim):
    with scope(tenant, actor=actor) as s:
        request_job(s, "train", parameters={})
    statement = "SELECT app.is_ops(), count(*) > 0 FROM data_job"
    with claimed(ALIAS, sign_claim(ALIAS, claim.format(uuid4()), LIFETIME)) as cursor:
        assert cursor.execute(statement).fetchone() == (False, False)
    with claimed(ALIAS, sign_claim(ALIAS, "ops:sweeper", LIFETIME)) as cursor:
        assert cursor.execute(statement).fetchone() == (True, True)


WATCHES = [
    "SELECT * FROM pg_stat_activity",
    "SELECT * FROM pg_settings",
    "SELECT * FROM pg_prepared_statements",
    "SELECT * FROM pg_cursors",
    "SELECT * FROM pg_file_settings",
    "SELECT * FROM pg_db_role_setting",
]


def test_no_other_session_sees_a_claim_at_work(mine, other, actor, superuser, services, figure):
    """The other tenant's statement runs while the attacker, and even a superuser, look at everything there is."""
    asleep, looked = threading.Event(), threading.Event()
    claims: list[str] = []

    def work() -> None:
        with scope(other, actor=actor) as s:
            claims.append(s.cursor().execute("SELECT current_setting('app.scope')").fetchone()[0])
            asleep.set()
            s.cursor().execute("SELECT pg_sleep(0.3), count(*) FROM data_item WHERE item_no = %s", (NUMBER,))
            looked.wait(5)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    asleep.wait(5)
    with scope(mine, actor=actor) as s:
        seen = [everything_said(s.cursor().connection, "SAVEPOINT a; " + text) for text in WATCHES[:4]]
    seen += [str(superuser(ALIAS).execute(text).fetchall()) for text in WATCHES]
    looked.set()
    thread.join()
    leaks = [text for text in seen if claims[0][-64:] in text or str(NUMBER) in text]
    assert figure(
        "views that show another session's claim or values", len(leaks), of=len(seen), passes=not leaks
    )


FAILING = [
    "SELECT 1 / 0",
    "SELECT 'x'::int",
    "SELECT * FROM nothing_here",
    "INSERT INTO data_item DEFAULT VALUES",
]


def failed(ref: TenantRef, actor: Any, statement: str) -> str:
    """The signature of the claim under which the statement failed."""
    with contextlib.suppress(psycopg.Error), scope(ref, actor=actor) as s:
        claim = s.cursor().execute("SELECT current_setting('app.scope')").fetchone()[0]
        s.cursor().execute(statement)
    return str(claim[-64:])


def test_the_servers_log_holds_no_claim(other, actor, services, figure):
    signatures = [failed(other, actor, statement) for statement in FAILING]
    log = services.postgres.log_file.read_text(errors="replace")
    assert 'relation "nothing_here" does not exist' in log
    leaks = [text for text in signatures if text in log or f"tenant:{other.id}" in log]
    assert figure(
        "claims of failing statements in the server's log", len(leaks), of=len(signatures), passes=not leaks
    )
