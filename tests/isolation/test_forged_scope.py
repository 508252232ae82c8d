"""A forged, altered or expired claim, or one of another database, gives access to no row."""

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
from tests.isolation.attacks import ALIAS, NUMBER, collect_output
from tests.isolation.pg_catalog import ALIASES

pytestmark = pytest.mark.proof(row=5)

TABLE_BY_PLANE = {"default": "control_apikey", "data": "data_job", "keys": "keys_tenantkey"}


@contextlib.contextmanager
def open_with_claim(alias: str, claim: str) -> Iterator[psycopg.Cursor[Any]]:
    """Opens a transaction on `alias` with a claim that the application did not set."""
    connections[alias].ensure_connection()
    with connections[alias].connection.transaction(force_rollback=True):
        cursor = psycopg.Cursor(connections[alias].connection)
        cursor.execute("SELECT set_config('app.scope', %s, true)", (claim,))
        yield cursor


def replay_claim(alias: str, claim: str) -> str:
    """Counts rows under the claim. Returns the row, or the message of the error."""
    with open_with_claim(alias, claim) as cursor:
        try:
            statement = f"SELECT app.is_ops(), count(*) FROM {TABLE_BY_PLANE[alias.partition('_')[0]]}"
            return str(cursor.execute(statement).fetchone())
        except psycopg.errors.InsufficientPrivilege as error:
            return str(error.diag.message_primary)


@pytest.mark.parametrize("kind", ["tenant:{}", "user:{}", "ops:sweeper"])
def test_a_claim_of_one_database_is_rejected_by_every_other(kind, database, figure):
    pairs = list(permutations(ALIASES, 2))
    claim = kind.format(uuid4())
    accepted = [
        (signer, receiver)
        for signer, receiver in pairs
        if replay_claim(receiver, sign_claim(signer, claim, LIFETIME)) != "forged scope"
    ]
    replies_at_home = [replay_claim(alias, sign_claim(alias, claim, LIFETIME)) for alias in ALIASES]
    assert [reply for reply in replies_at_home if "scope" in reply] == []
    what = f"databases that believed another one's claim ({kind.partition(':')[0]})"
    assert figure(what, len(accepted), of=len(pairs), passes=not accepted), accepted


def alter_claim(stolen: str, attacker_id: UUID, victim_id: UUID) -> dict[str, str]:
    """Invalid variants of a claim, by name."""
    body, _, signature = stolen.rpartition("|")
    claim, _, expiry = body.partition("|")
    flipped = "0" if signature[0] != "0" else "1"
    return {
        "another tenant": stolen.replace(str(victim_id), str(attacker_id)),
        "no tenant": stolen.replace(f"tenant:{victim_id}", "ops:sweeper"),
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


def test_an_altered_claim_is_rejected(attacker, victim, figure):
    stolen = sign_claim(ALIAS, f"tenant:{victim.id}", LIFETIME)
    claims = alter_claim(stolen, attacker.id, victim.id)
    outcomes = {name: replay_claim(ALIAS, claim) for name, claim in claims.items()}
    accepted = {name: text for name, text in outcomes.items() if not text.startswith(("forged", "no scope"))}
    assert figure("altered claims that were believed", len(accepted), of=len(claims), passes=not accepted), (
        accepted
    )


@pytest.mark.parametrize("claim", ["tenant:{}", "user:{}", "ops:sweeper"])
def test_a_stolen_claim_expires(database, claim):
    stolen = sign_claim(ALIAS, claim.format(uuid4()), -LIFETIME)
    assert replay_claim(ALIAS, stolen) == "expired scope"
    with (
        open_with_claim(ALIAS, stolen) as cursor,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="expired"),
    ):
        cursor.execute("SELECT app.is_ops()")
    assert LIFETIME.total_seconds() <= 300


@pytest.mark.parametrize(
    "table", ["data_item", "data_timeline", "data_profile", "data_receipt", "recommender_modelversion"]
)
def test_an_ops_claim_cannot_read_tenant_tables(victim, table):
    with (
        open_with_claim(ALIAS, sign_claim(ALIAS, "ops:sweeper", LIFETIME)) as cursor,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="no tenant"),
    ):
        cursor.execute(f"SELECT count(*) FROM {table} WHERE tenant_id = '{victim.id}'")


@pytest.mark.parametrize("claim", ["tenant:{}", "user:{}"])
def test_only_an_ops_claim_sees_every_job(tenant, actor, claim):
    with scope(tenant, actor=actor) as s:
        request_job(s, "train", parameters={})
    statement = "SELECT app.is_ops(), count(*) > 0 FROM data_job"
    with open_with_claim(ALIAS, sign_claim(ALIAS, claim.format(uuid4()), LIFETIME)) as cursor:
        assert cursor.execute(statement).fetchone() == (False, False)
    with open_with_claim(ALIAS, sign_claim(ALIAS, "ops:sweeper", LIFETIME)) as cursor:
        assert cursor.execute(statement).fetchone() == (True, True)


SESSION_VIEWS = [
    "SELECT * FROM pg_stat_activity",
    "SELECT * FROM pg_settings",
    "SELECT * FROM pg_prepared_statements",
    "SELECT * FROM pg_cursors",
    "SELECT * FROM pg_file_settings",
    "SELECT * FROM pg_db_role_setting",
]


def test_no_other_session_sees_an_active_claim(attacker, victim, actor, superuser, services, figure):
    """The victim's statement runs while the attacker and a superuser query the views of sessions and settings."""
    statement_started, views_queried = threading.Event(), threading.Event()
    claims: list[str] = []

    def run_victim_statement() -> None:
        with scope(victim, actor=actor) as s:
            claims.append(s.cursor().execute("SELECT current_setting('app.scope')").fetchone()[0])
            statement_started.set()
            s.cursor().execute("SELECT pg_sleep(0.3), count(*) FROM data_item WHERE item_no = %s", (NUMBER,))
            views_queried.wait(5)
        connections.close_all()

    thread = threading.Thread(target=run_victim_statement)
    thread.start()
    statement_started.wait(5)
    with scope(attacker, actor=actor) as s:
        connection = s.cursor().connection
        outputs = [collect_output(connection, "SAVEPOINT a; " + text) for text in SESSION_VIEWS[:4]]
    outputs += [str(superuser(ALIAS).execute(text).fetchall()) for text in SESSION_VIEWS]
    views_queried.set()
    thread.join()
    leaks = [text for text in outputs if claims[0][-64:] in text or str(NUMBER) in text]
    assert figure(
        "views that show another session's claim or values", len(leaks), of=len(outputs), passes=not leaks
    )


FAILING_STATEMENTS = [
    "SELECT 1 / 0",
    "SELECT 'x'::int",
    "SELECT * FROM nothing_here",
    "INSERT INTO data_item DEFAULT VALUES",
]


def run_failing_statement(tenant: TenantRef, actor: Any, statement: str) -> str:
    """Runs a statement that fails. Returns the signature of its claim."""
    with contextlib.suppress(psycopg.Error), scope(tenant, actor=actor) as s:
        claim = s.cursor().execute("SELECT current_setting('app.scope')").fetchone()[0]
        s.cursor().execute(statement)
    return str(claim[-64:])


def test_the_server_log_contains_no_claim(victim, actor, services, figure):
    signatures = [run_failing_statement(victim, actor, statement) for statement in FAILING_STATEMENTS]
    log = services.postgres.log_file.read_text(errors="replace")
    assert 'relation "nothing_here" does not exist' in log
    leaks = [text for text in signatures if text in log or f"tenant:{victim.id}" in log]
    assert figure(
        "claims of failing statements in the server's log", len(leaks), of=len(signatures), passes=not leaks
    )
