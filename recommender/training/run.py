"""One training, from rows to a published version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from recommender import sources
from recommender.algorithms.blend import Blend
from recommender.algorithms.content import Content
from recommender.algorithms.crew_training import trained_by
from recommender.algorithms.ensemble import Ensemble
from recommender.algorithms.knowledge import Knowledge
from recommender.algorithms.look import Look
from recommender.algorithms.popularity import Popularity
from recommender.dataset import Split, leave_last_out
from recommender.evaluation.choosing import SERVING_MS
from recommender.evaluation.fit import fit_ensemble
from recommender.evaluation.profiles import EFFORTS, Changes
from recommender.evaluation.tuning import Log, tune
from recommender.evaluation.verdicts import Reason
from recommender.registry import actions, artefacts, queries
from recommender.registry.artefacts import ArtefactCorrupt
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.training import gate, incremental
from recommender.training.crew import crew_for
from recommender.training.describing import Described, describe
from recommender.training.gate import Verdict
from recommender.training.order import Order
from recommender.training.progress import Watch
from recommender.training.refresh import full_training
from recommender.training.sealing import metrics_of, sealed
from recommender.types import DataError
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

# What serves while nothing that was learned from behaviour may: favourites, and what similar items are told by.
_ALIKE = (Popularity.name, Content.name, Look.name, Knowledge.name)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """`version` is what the training published or refused; its reasons say why it does not serve as trained."""

    version: VersionView


def run(tenant: TenantRef, job_id: UUID, *, order: Order, actor: Actor, watch: Watch) -> RunOutcome:
    """Raises DataError when there is nothing to learn from, Cancelled, LeaseLost, and the services' errors.

    Running again for the same job publishes nothing twice.
    """
    watch.enter("reading events", low=0, high=10)
    source = sources.load(tenant, actor=actor, report=lambda done: watch.report("", done))
    if source.dataset.items == 0:
        raise DataError("The catalogue is empty: send items first.")
    known = describe(tenant, source, profile=order.profile, actor=actor, watch=watch)
    source = known.source
    with scope(tenant, actor=actor) as s:
        expected, live = queries.active_number(s), queries.active(s)
        former = queries.settings(s)
    with trained_by(crew_for(source.dataset)):
        learned = _refreshed(tenant, known, live, order=order, watch=watch) if order.refresh else None
        if learned is None:
            learned = _learned(tenant, known, live, order=order, former=former, watch=watch)
    ensemble, verdict = learned
    served, verdict = _served(ensemble, verdict, live)
    watch.enter("publishing", low=93, high=99)
    trained = sealed(tenant, job_id, served, known, verdict, profile=order.profile)
    watch.enter("publishing", low=98, high=99)
    with scope(tenant, actor=actor) as s:
        version = actions.publish(s, trained, expected=expected)
        idle = actions.prune(s)
    for artefact_id in idle:
        artefacts.remove(tenant, artefact_id)
    return RunOutcome(version)


def _refreshed(
    tenant: TenantRef, known: Described, live: VersionView | None, *, order: Order, watch: Watch
) -> tuple[Ensemble, Verdict] | None:
    """None where there is no model to go on from, or where it cannot."""
    served = _live(tenant, live)
    if live is None or served is None or live.data_until is None or live.metrics.get("serves") != "model":
        return None
    found = incremental.refreshed(served, live.data_until, known, profile=order.profile, watch=watch)
    if found is None:
        return None
    ensemble, verdict = found
    facts = {
        "settings": live.metrics.get("settings", {}),
        "refreshed_from": live.version,
        "full": full_training(live),
    }
    return ensemble, Verdict(
        verdict.reasons, metrics_of(ensemble, known.source, {**facts, **verdict.metrics})
    )


def _learned(
    tenant: TenantRef,
    known: Described,
    live: VersionView | None,
    *,
    order: Order,
    former: Changes,
    watch: Watch,
) -> tuple[Ensemble, Verdict]:
    """Fitted on the past, judged on what followed, fitted again on everything.

    Without any event there is nothing to judge by: texts alone serve. With events that nobody can be asked about,
    what was learned from them does not serve. Nothing is judged by reviews that were written after its past.
    """
    source = known.source
    rng, profile = np.random.default_rng(0), order.profile
    # Where popularity serves, the comparison with popularity is all there is: nothing is gained by a shorter test.
    until = live.data_until if live is not None and _is_personal(live) else None
    protocol, split = gate.hold_out(source.dataset, live_until=until, most_cases=EFFORTS[profile].most_cases)
    changes, tuned = _settings(split, order, former, watch)
    watch.enter("learning", low=32 if order.tune else 20, high=70)
    if not len(split):
        ensemble = fit_ensemble(
            known.everything, profile=profile, rng=rng, report=watch.report, changes=changes
        )
        reasons = (gate.too_few(0),) if source.dataset.events else ()
        judged = {"protocol": None, "cases": 0, **tuned}
        return ensemble, Verdict(reasons, metrics_of(ensemble, source, judged))
    ensemble = fit_ensemble(
        known.past(split.train),
        profile=profile,
        rng=rng,
        report=watch.report,
        again=False,
        changes=changes,
        serving_ms=SERVING_MS,
    ).served(beside=_ALIKE)
    watch.enter("evaluating", low=70, high=75)
    fair = protocol == "time-split" and gate.knew_nothing_hidden(until, source.dataset, split)
    verdict = gate.judge(
        ensemble,
        split,
        _live(tenant, live),
        source.item_no,
        live_is_fair=fair,
        labels=(source.labels, source.item_labels),
        config=gate.config(source),
    )
    metrics = metrics_of(ensemble, source, {"protocol": protocol, **tuned, **verdict.metrics})
    watch.enter("learning from everything", low=75, high=93)
    for member in ensemble.members.values():
        member.refit(known.everything, rng)
    return ensemble, Verdict(verdict.reasons, metrics)


def _is_personal(live: VersionView) -> bool:
    return live.metrics.get("serves") == "model"


def _settings(split: Split, order: Order, former: Changes, watch: Watch) -> tuple[Changes, dict[str, Any]]:
    """Settings of the members that differ from the defaults, and what the version's metrics say of them.

    Found now if that is ordered, else those that were found for this tenant before. The cases of `split` stay hidden."""
    if order.tune is None or not len(split):
        return former, {"settings": former}
    watch.enter("tuning", low=20, high=32)
    found = tune(
        leave_last_out(split.train),
        profile=order.profile,
        budget=order.tune,
        former=former,
        report=watch.report,
        log=Log.resumed(order.so_far, lambda state: watch.keep({"tuning": state})),
    )
    return found.changes, {"settings": found.changes, "tuning": found.card}


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
    kept = {name: m for name, m in ensemble.members.items() if name in _ALIKE}
    reduced = Ensemble(kept, Blend({Popularity.name: 1.0}), ensemble.items, ensemble.card)
    reasons = (*verdict.reasons, Reason("popularity_instead"))
    return reduced, Verdict(reasons, {**verdict.metrics, "serves": "popularity"})
