"""Each start-up check detects a seeded defect."""

from __future__ import annotations

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import OperationalError

from lepton_platform import checks


@pytest.fixture
def as_superuser(superuser):
    with superuser("data_eu").cursor() as cursor:
        yield cursor


@pytest.fixture
def as_application(database):
    options = {
        key: settings.DATABASES["data_eu"][key] for key in ("HOST", "PORT", "NAME", "USER", "PASSWORD")
    }
    with psycopg.connect(
        host=options["HOST"],
        port=options["PORT"],
        dbname=options["NAME"],
        user=options["USER"],
        password=options["PASSWORD"],
    ) as connection:
        yield connection.cursor()


@pytest.fixture
def seed(as_superuser):
    """Executes a statement as superuser, and its opposite after the test."""
    undo_statements: list[str] = []

    def execute_reversibly(statement: str, opposite: str) -> None:
        as_superuser.execute(statement)
        undo_statements.append(opposite)

    yield execute_reversibly
    for statement in undo_statements:
        as_superuser.execute(statement)


def test_a_correct_installation_passes_all_checks(database):
    assert checks.collect_startup_errors() == []


def test_a_superuser_role_is_refused(as_superuser, database):
    assert "the application's role is a superuser." in checks.check_role(as_superuser)


def test_a_role_that_bypasses_policies_is_refused(seed, as_application):
    seed("ALTER ROLE lepton_app BYPASSRLS", "ALTER ROLE lepton_app NOBYPASSRLS")
    assert checks.check_role(as_application) == ["the application's role bypasses row-level security."]


def test_a_member_of_another_role_is_refused(seed, as_application):
    seed("GRANT lepton_owner TO lepton_app", "REVOKE lepton_owner FROM lepton_app")
    assert checks.check_role(as_application) == ["the application's role is a member of another role."]


def test_a_role_that_owns_a_table_is_refused(seed, as_application):
    seed("CREATE TABLE public.mine (); ALTER TABLE public.mine OWNER TO lepton_app", "DROP TABLE public.mine")
    assert checks.check_ownership(as_application) == ["the application's role owns mine."]


def test_the_right_to_create_tables_is_refused(seed, as_application):
    seed("GRANT CREATE ON SCHEMA public TO lepton_app", "REVOKE CREATE ON SCHEMA public FROM lepton_app")
    assert checks.check_ownership(as_application) == ["the application's role may create tables."]


def test_visible_statements_are_refused(as_superuser, database):
    assert checks.check_activity_tracking(as_superuser) != []


def test_a_server_that_may_lose_acknowledged_events_is_refused(as_superuser):
    as_superuser.execute("SET synchronous_commit = off")
    assert checks.check_durability(as_superuser) == [
        "synchronous_commit is off: acknowledged events could be lost. Set it to on."
    ]


def test_a_tenant_table_without_policy_is_refused(seed, as_application):
    seed("CREATE TABLE public.leak (tenant_id uuid)", "DROP TABLE public.leak")
    assert checks.check_row_policies(as_application) == [
        "table leak has tenants' rows without forced row-level security."
    ]


def test_a_policy_that_does_not_bind_the_owner_is_refused(seed, as_application):
    seed(
        "CREATE TABLE public.leak (tenant_id uuid); ALTER TABLE public.leak ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY tenant_only ON public.leak USING (true) WITH CHECK (true)",
        "DROP TABLE public.leak",
    )
    assert len(checks.check_row_policies(as_application)) == 1


def test_a_partition_without_policy_is_refused(seed, as_application):
    protect = "ALTER TABLE {0} ENABLE ROW LEVEL SECURITY; ALTER TABLE {0} FORCE ROW LEVEL SECURITY;"
    seed(
        "CREATE TABLE public.parent (tenant_id uuid) PARTITION BY HASH (tenant_id);"
        + protect.format("public.parent")
        + "CREATE POLICY tenant_only ON public.parent USING (true) WITH CHECK (true);"
        "CREATE TABLE public.part PARTITION OF public.parent FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
        "DROP TABLE public.parent",
    )
    assert checks.check_row_policies(as_application) == [
        "table part has tenants' rows without forced row-level security."
    ]


def test_a_model_without_lifecycle_is_refused(monkeypatch):
    model = apps.get_model("data", "Item")
    monkeypatch.setattr(model, "lifecycle", None)
    assert checks.find_models_without_lifecycle([model]) == [
        "Model data.Item does not say how long its rows are kept: give it a `lifecycle`."
    ]


def test_torch_in_the_web_process_is_refused():
    assert checks.find_training_modules({"torch", "numpy"}, {"LEPTON_PROCESS": "web"}) == [
        "The web process loads torch."
    ]


def test_a_video_decoder_in_the_web_process_is_refused():
    assert checks.find_training_modules({"cv2", "numpy"}, {"LEPTON_PROCESS": "web"}) == [
        "The web process loads cv2."
    ]


def test_torch_in_a_worker_is_accepted():
    assert checks.find_training_modules({"torch"}, {"LEPTON_PROCESS": "worker"}) == []


def test_a_region_that_is_not_in_the_directory_is_refused(database, settings):
    settings.LEPTON_REGIONS = {**settings.LEPTON_REGIONS, "mars": settings.LEPTON_REGIONS["eu"]}
    assert "'mars'" in checks.collect_startup_errors()[0]


def test_an_unreachable_database_is_refused(database, monkeypatch):
    def refuse(_cursor):
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(checks, "_DATABASE_CHECKS", (refuse,))
    assert (
        checks.collect_startup_errors()[0] == "default: the database does not answer: the connection is lost"
    )


def test_a_startup_error_is_one_sentence_and_exit_status_2(database, monkeypatch, capsys):
    monkeypatch.setattr(checks, "collect_startup_errors", lambda: ["The roof is open.", "And the door."])
    with pytest.raises(SystemExit) as exit_info:
        checks.exit_on_startup_errors()
    assert (exit_info.value.code, capsys.readouterr().err) == (2, "The roof is open.\n")


def test_every_database_check_is_registered():
    """A check that is not in the tuple never runs."""
    expected = {
        "check_role",
        "check_ownership",
        "check_activity_tracking",
        "check_row_policies",
        "check_durability",
    }
    assert {check.__name__ for check in checks._DATABASE_CHECKS} == expected
