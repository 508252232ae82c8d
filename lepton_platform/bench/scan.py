"""`python -m lepton_platform.bench.scan`: reads all histories of the region's only tenant, as a training does.

Prints one JSON line with scan_events_per_second, events and profiles.
"""

from __future__ import annotations

import json
import os
import sys
import time

import django


def main() -> None:
    """Raises ValueError unless there is exactly one tenant."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")
    django.setup()
    from tenants.control.queries import list_tenants  # noqa: PLC0415 - models need the set-up above
    from tenants.data.queries import timeline  # noqa: PLC0415 - as above
    from tenants.scope import Actor, control_ops  # noqa: PLC0415 - as above

    actor = Actor("system", "bench")
    with control_ops("bench", actor=actor, reason="finds the bench's tenant") as s:
        (tenant,) = list_tenants(s)
    started_at = time.perf_counter()
    history_sizes = [events.size for _, events in timeline.scan_histories(tenant.ref, actor=actor)]
    seconds = time.perf_counter() - started_at
    metrics = {
        "scan_events_per_second": round(sum(history_sizes) / seconds),
        "events": sum(history_sizes),
        "profiles": len(history_sizes),
    }
    sys.stdout.write(json.dumps(metrics) + "\n")


if __name__ == "__main__":
    main()
