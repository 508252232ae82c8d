"""`python -m lepton_platform.bench.scan`: reads every timeline of the region's only tenant, as training does."""

from __future__ import annotations

import json
import os
import sys
import time

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lepton_platform.settings")
    django.setup()
    from tenants.control.queries import list_tenants  # noqa: PLC0415 - models need the set-up above
    from tenants.data.queries import timeline  # noqa: PLC0415 - as above
    from tenants.scope import Actor, control_ops  # noqa: PLC0415 - as above

    actor = Actor("system", "bench")
    with control_ops("bench", actor=actor, reason="finds the bench's tenant") as s:
        (tenant,) = list_tenants(s)
    started = time.perf_counter()
    sizes = [events.size for _, events in timeline.scan_histories(tenant.ref, actor=actor)]
    seconds = time.perf_counter() - started
    figures = {
        "scan_events_per_second": round(sum(sizes) / seconds),
        "events": sum(sizes),
        "profiles": len(sizes),
    }
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
