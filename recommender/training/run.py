"""One training, from rows to a published version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from uuid_utils.compat import uuid7

from recommender import sources
from recommender.algorithms.blend import Blend
from recommender.algorithms.content import Content
from recommender.algorithms.ensemble import Ensemble
from recommender.algorithms.popularity import Popularity
from recommender.evaluation.fit import fit_ensemble
from recommender.evaluation.profiles import EFFORTS, Profile
from recommender.evaluation.verdicts import GateConfig, Reason
from recommender.registry import actions, artefacts, queries
from recommender.registry.artefacts import ArtefactCorrupt
from recommender.registry.bundle import Bundle
from recommender.registry.types import Trained, VersionView
from recommender.sources import Source
from recommender.training import gate
from recommender.training.gate import Verdict
from recommender.training.progress import Watch
from recommender.types import DataError
from tenants.regions import TenantRef
from tenants.scope import Actor, scope


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """`version` is what the training published or refused; its reasons say why it does not serve as trained."""

    version: VersionView


def run(tenant: TenantRef, job_id: UUID, *, profile: Profile, actor: Actor, watch: Watch) -> RunOutcome:
    """Raises DataError when there is nothing to learn from, Cancelled, LeaseLost, and the services' errors.

    Running again for the same job publishes nothing twice.
    """
    watch.enter("reading events", low=0, high=10)
    source = sources.load(tenant, actor=actor, report=lambda done: watch.report("", done))
    if source.dataset.items == 0:
        raise DataError("The catalogue is empty: send items first.")
    with scope(tenant, actor=actor) as s:
        expected, live = queries.active_number(s), queries.active(s)
    ensemble, verdict = _learned(tenant, source, live, profile=profile, watch=watch)
    served, verdict = _served(ensemble, verdict, live)
    watch.enter("publishing", low=93, high=99)
    trained = _sealed(tenant, job_id, served, source, verdict, profile=profile)
    watch.enter("publishing", low=98, high=99)
    with scope(tenant, actor=actor) as s:
        version = actions.publish(s, trained, expected=expected)
        idle = actions.prune(s)
    for artefact_id in idle:
        artefacts.remove(tenant, artefact_id)
    return RunOutcome(version)


def _learned(
    tenant: TenantRef, source: Source, live: VersionView | None, *, profile: Profile, watch: Watch
) -> tuple[Ensemble, Verdict]:
    """Fitted on the past, judged on what followed, fitted again on everything.

    Without any event there is nothing to judge by: texts alone serve. With events that nobody can be asked about,
    what was learned from them does not serve.
    """
    rng = np.random.default_rng(0)
    watch.enter("learning", low=10, high=70)
    # Where popularity serves, the comparison with popularity is all there is: nothing is gained by a shorter test.
    until = live.data_until if live is not None and _is_personal(live) else None
    protocol, split = gate.hold_out(source.dataset, live_until=until, most_cases=EFFORTS[profile].most_cases)
    if not len(split):
        ensemble = fit_ensemble(source.dataset, profile=profile, rng=rng, report=watch.report)
        reasons = (gate.too_few(0),) if source.dataset.events else ()
        return ensemble, Verdict(reasons, _metrics(ensemble, source, {"protocol": None, "cases": 0}))
    ensemble = fit_ensemble(split.train, profile=profile, rng=rng, report=watch.report, again=False)
    watch.enter("evaluating", low=70, high=75)
    fair = protocol == "time-split" and gate.knew_nothing_hidden(until, source.dataset, split)
    verdict = gate.judge(
        ensemble,
        split,
        _live(tenant, live),
        source.item_no,
        live_is_fair=fair,
        labels=(source.labels, source.item_labels),
        config=_config(source),
    )
    metrics = _metrics(ensemble, source, {"protocol": protocol, **verdict.metrics})
    watch.enter("learning from everything", low=75, high=93)
    for member in ensemble.members.values():
        member.refit(source.dataset, rng)
    return ensemble, Verdict(verdict.reasons, metrics)


def _is_personal(live: VersionView) -> bool:
    return live.metrics.get("serves") == "model"


def _config(source: Source) -> GateConfig:
    return replace(
        gate.CONFIG,
        least_gain=settings.LEPTON_GATE_LEAST_GAIN_PERCENT / 100,
        least_slice=max(gate.CONFIG.least_slice, source.least_group),
    )


def _live(tenant: TenantRef, live: VersionView | None) -> Bundle | None:
    """The model in service, to compare with; one that cannot be read is not a competitor."""
    if live is None or not live.kept:
        return None
    try:
        return Bundle.from_files(artefacts.read(tenant, live.artefact_id, live.manifest))
    except (ArtefactCorrupt, DataError):
        return None


def _served(
    ensemble: Ensemble, verdict: Verdict, live: VersionView | None
) -> tuple[Ensemble | None, Verdict]:
    """The trained model, or, while no personal model is in service, popularity with content for similar items."""
    if not verdict.reasons:
        return ensemble, verdict
    if (live is not None and _is_personal(live)) or Popularity.name not in ensemble.members:
        return None, verdict
    kept = {name: m for name, m in ensemble.members.items() if name in (Popularity.name, Content.name)}
    reduced = Ensemble(kept, Blend({Popularity.name: 1.0}), ensemble.items, ensemble.card)
    reasons = (*verdict.reasons, Reason("popularity_instead"))
    return reduced, Verdict(reasons, {**verdict.metrics, "serves": "popularity"})


def _sealed(
    tenant: TenantRef,
    job_id: UUID,
    served: Ensemble | None,
    source: Source,
    verdict: Verdict,
    *,
    profile: Profile,
) -> Trained:
    """Writes the artefact, if one may serve, before any row names it."""
    artefact_id = uuid7()
    manifest: Mapping[str, Any] = {}
    if served is not None:
        files = Bundle(served, source.item_no).to_files()
        _check_round_trip(served, files)
        manifest = artefacts.write(tenant, artefact_id, files)
    return Trained(
        job_id=job_id,
        artefact_id=artefact_id,
        profile=profile,
        manifest=manifest,
        metrics=verdict.metrics,
        trained_at=datetime.now(UTC),
        data_until=source.data_until,
        refused=served is None,
        reasons=verdict.reasons,
    )


def _check_round_trip(served: Ensemble, files: Mapping[str, bytes]) -> None:
    """What is read back must score as what was judged. Raises DataError."""
    sample = np.arange(min(served.items, 5), dtype=np.int32)
    again = Bundle.from_files(files).ensemble
    if not np.allclose(served.score_one(sample), again.score_one(sample), atol=1e-3):
        raise DataError("The exported model does not score like the trained one.")


def _metrics(ensemble: Ensemble, source: Source, judged: Mapping[str, Any]) -> dict[str, Any]:
    card = ensemble.card
    return {
        "serves": "model",
        **judged,
        "weights": dict(ensemble.blend.weights),
        "validation": card.get("validation"),
        "members_left_out": card.get("left_out", {}),
        "seconds": card.get("seconds", {}),
        "data": {
            "profiles": source.dataset.users,
            "items": source.dataset.items,
            "events": source.dataset.events,
            "events_stored": source.counted,
            "events_left_out": {name: count for name, count in source.left_out.items() if count},
            "cleaning": source.cleaning.to_json(),
        },
    }
