"""Defects that would let one region's data, keys or tasks into another."""

from __future__ import annotations

from tests.defects.seeds import Seed

_ONE_REGION = "tests/residency/test_one_region.py"
_REGIONS = "tenants/regions.py"
_ENV = "lepton_platform/env.py"

RESIDENCY_SEEDS = (
    Seed(
        "a key's region is not looked at",
        "tenants/control/queries/authentication.py",
        "    regions.require_served(parts.region)\n",
        "",
        f"{_ONE_REGION}::test_a_key_of_another_region_gets_421_from_every_operation_and_leaves_no_trace",
    ),
    Seed(
        "a key opens whatever region its text names",
        "tenants/control/queries/authentication.py",
        " or row[6] != parts.region",
        "",
        "tests/control/test_authentication.py",
    ),
    Seed(
        "any region's data opens",
        _REGIONS,
        '    require_served(region)\n    return f"data_{region}"',
        '    return f"data_{region}"',
        f"{_ONE_REGION}::test_nothing_of_another_region_opens",
    ),
    Seed(
        "any region's keys open",
        _REGIONS,
        '    require_served(region)\n    return f"keys_{region}"',
        '    return f"keys_{region}"',
        f"{_ONE_REGION}::test_nothing_of_another_region_opens",
    ),
    Seed(
        "any region's object store opens",
        _REGIONS,
        "    require_served(region)\n    return str(settings.LEPTON_REGIONS[region].object_store_url)",
        "    return str(settings.LEPTON_REGIONS[region].object_store_url)",
        f"{_ONE_REGION}::test_nothing_of_another_region_opens",
    ),
    Seed(
        "one object store for all regions",
        _REGIONS,
        "    return str(settings.LEPTON_REGIONS[region].object_store_url)",
        "    return str(settings.LEPTON_REGIONS[list_served()[0]].object_store_url)",
        f"{_ONE_REGION}::test_every_region_has_a_separate_store",
    ),
    Seed(
        "one root key for all regions",
        _REGIONS,
        "    return str(settings.LEPTON_REGIONS[region].kms_url)",
        "    return str(settings.LEPTON_REGIONS[list_served()[0]].kms_url)",
        f"{_ONE_REGION}::test_the_root_key_of_one_region_does_not_unwrap_keys_of_another",
    ),
    Seed(
        "a worker consumes every queue",
        "lepton_platform/celery.py",
        "*(region_queue(region) for region in settings.LEPTON_SERVED_REGIONS)]",
        "*(region_queue(region) for region in settings.LEPTON_REGIONS)]",
        "tests/platform/test_queues.py",
    ),
    Seed(
        "beat sends every region's tasks",
        "lepton_platform/tasks/scheduler.py",
        ".filter(Q(queue__isnull=True) | Q(queue__in=list_served_queues()))",
        "",
        f"{_ONE_REGION}::test_beat_sends_to_served_regions_only_though_all_share_one_schedule",
    ),
    Seed(
        "a message goes to a queue that all regions share",
        "lepton_platform/tasks/maintenance.py",
        "queue=region_queue(region),\n",
        'queue="platform",\n',
        "tests/training/test_refresh_schedule.py::"
        "test_a_requested_training_reaches_the_queue_of_its_region_once",
    ),
    Seed(
        "a process reads the other regions' databases",
        _ENV,
        "databases=_read_databases(source, serves, role)",
        "databases=_read_databases(source, codes, role)",
        "tests/platform/test_env.py",
    ),
    Seed(
        "a process reads the other regions' keys",
        _ENV,
        "return _add_addresses(source, names) if is_served else names",
        "return _add_addresses(source, names)",
        "tests/platform/test_env.py",
    ),
)
