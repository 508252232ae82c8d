"""One training, from rows to a published version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np

from recommender.algorithms.common.score_blend import Blend
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.algorithms.ensemble.ensemble import Ensemble
from recommender.algorithms.popularity.popularity import Popularity
from recommender.algorithms.sequential.gradient_sync import DistributedBackend
from recommender.dataset import Split, leave_last_out
from recommender.evaluation.decisions.promotion_gate import DecisionReason
from recommender.fitting.fit_ensemble import fit_ensemble
from recommender.fitting.fit_options import FitOptions
from recommender.fitting.model_selection import SERVING_BUDGET_MS
from recommender.fitting.training_profiles import TRAINING_PROFILES, ParameterOverrides
from recommender.registry import actions, artefacts, queries
from recommender.registry.artefacts import ArtefactCorrupt
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.tenant_data import interactions
from recommender.training import gate, refresh
from recommender.training.distributed import select_distributed_backend
from recommender.training.gate import GateResult
from recommender.training.job_heartbeat import JobHeartbeat
from recommender.training.job_parameters import TrainingParameters
from recommender.training.packaging import build_version_metrics, package_model
from recommender.training.refresh_schedule import get_last_full_training
from recommender.training.side_data import EnrichedData, load_side_data
from recommender.tuning.search_log import SearchLog
from recommender.tuning.tuner import TuningOptions, tune_models
from recommender.types import DataError
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

# What serves while nothing that was learned from behaviour may: favourites, and what similar items are told by.
_FALLBACK_MODELS = (Popularity.name, TfidfContent.name, VisualSimilarity.name, TripleSimilarity.name)


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """`version` is what the training published or refused; its reasons say why it does not serve as trained."""

    version: VersionView


def train_and_publish(
    tenant: TenantRef, job_id: UUID, *, parameters: TrainingParameters, actor: Actor, heartbeat: JobHeartbeat
) -> RunOutcome:
    """Raises DataError when there is nothing to learn from, Cancelled, LeaseLost, and the services' errors.

    Running again for the same job publishes nothing twice.
    """
    heartbeat.start_phase("reading events", low=0, high=10)
    source = interactions.load_training_data(
        tenant, actor=actor, report=lambda done: heartbeat.report_progress("", done)
    )
    if source.dataset.n_items == 0:
        raise DataError("The catalogue is empty: send items first.")
    known = load_side_data(tenant, source, profile=parameters.profile, actor=actor, heartbeat=heartbeat)
    source = known.training_data
    with scope(tenant, actor=actor) as s:
        expected, live = queries.get_active_number(s), queries.get_active_version(s)
        former = queries.get_tuned_settings(s)
    backend = select_distributed_backend(source.dataset)
    learned = None
    if parameters.refresh:
        learned = _refresh_live_model(
            tenant, known, live, parameters=parameters, heartbeat=heartbeat, backend=backend
        )
    if learned is None:
        learned = _train_from_scratch(
            tenant,
            known,
            live,
            parameters=parameters,
            previous_settings=former,
            heartbeat=heartbeat,
            backend=backend,
        )
    ensemble, verdict = learned
    served, verdict = _select_servable_model(ensemble, verdict, live)
    heartbeat.start_phase("publishing", low=93, high=99)
    trained = package_model(tenant, job_id, served, known, verdict, profile=parameters.profile)
    heartbeat.start_phase("publishing", low=98, high=99)
    with scope(tenant, actor=actor) as s:
        version = actions.publish_model(s, trained, expected=expected)
        idle = actions.prune_artefacts(s)
    for artefact_id in idle:
        artefacts.remove_artefact(tenant, artefact_id)
    return RunOutcome(version)


def _refresh_live_model(
    tenant: TenantRef,
    enriched: EnrichedData,
    live: VersionView | None,
    *,
    parameters: TrainingParameters,
    heartbeat: JobHeartbeat,
    backend: DistributedBackend | None,
) -> tuple[Ensemble, GateResult] | None:
    """None where there is no model to go on from, or where it cannot."""
    served = _load_live_bundle(tenant, live)
    if (
        live is None
        or served is None
        or live.latest_event_at is None
        or live.metrics.get("serves") != "model"
    ):
        return None
    found = refresh.refresh_model(
        served,
        live.latest_event_at,
        enriched,
        profile=parameters.profile,
        heartbeat=heartbeat,
        backend=backend,
    )
    if found is None:
        return None
    ensemble, verdict = found
    facts = {
        "settings": live.metrics.get("settings", {}),
        "refreshed_from": live.version,
        "full": get_last_full_training(live),
    }
    return ensemble, GateResult(
        verdict.reasons, build_version_metrics(ensemble, enriched.training_data, {**facts, **verdict.metrics})
    )


def _train_from_scratch(
    tenant: TenantRef,
    enriched: EnrichedData,
    live: VersionView | None,
    *,
    parameters: TrainingParameters,
    previous_settings: ParameterOverrides,
    heartbeat: JobHeartbeat,
    backend: DistributedBackend | None,
) -> tuple[Ensemble, GateResult]:
    """Fitted on the past, judged on what followed, fitted again on everything.

    Without any event there is nothing to judge by: texts alone serve. With events that nobody can be asked about,
    what was learned from them does not serve. Nothing is judged by reviews that were written after its past.
    """
    source = enriched.training_data
    rng, profile = np.random.default_rng(0), parameters.profile
    # Where popularity serves, the comparison with popularity is all there is: nothing is gained by a shorter test.
    until = live.latest_event_at if live is not None and _is_personal(live) else None
    protocol, split = gate.hold_out(
        source.dataset, live_trained_until=until, max_cases=TRAINING_PROFILES[profile].max_cases
    )
    changes, tuned = _tune_settings(split, parameters, previous_settings, heartbeat, backend)
    heartbeat.start_phase("learning", low=32 if parameters.tuning_budget else 20, high=70)
    if not len(split):
        ensemble = fit_ensemble(
            enriched.full_dataset,
            FitOptions(profile=profile, overrides=changes, backend=backend),
            rng=rng,
            report=heartbeat.report_progress,
        )
        reasons = (gate.create_few_cases_reason(0),) if source.dataset.n_events else ()
        judged = {"protocol": None, "cases": 0, **tuned}
        return ensemble, GateResult(reasons, build_version_metrics(ensemble, source, judged))
    ensemble = fit_ensemble(
        enriched.add_past_reviews(split.train),
        FitOptions(
            profile=profile,
            refit_on_all=False,
            overrides=changes,
            serving_budget_ms=SERVING_BUDGET_MS,
            backend=backend,
        ),
        rng=rng,
        report=heartbeat.report_progress,
    ).prune_models(keep=_FALLBACK_MODELS)
    heartbeat.start_phase("evaluating", low=70, high=75)
    fair = protocol == "time-split" and gate.is_fair_comparison(until, source.dataset, split)
    verdict = gate.evaluate_candidate(
        ensemble,
        split,
        _load_live_bundle(tenant, live),
        source.item_numbers,
        live_is_fair=fair,
        segments=(source.user_segments, source.item_segments),
        config=gate.build_gate_config(source),
    )
    metrics = build_version_metrics(ensemble, source, {"protocol": protocol, **tuned, **verdict.metrics})
    heartbeat.start_phase("refitting on all data", low=75, high=93)
    for member in ensemble.models.values():
        member.fit_partial(enriched.full_dataset, rng)
    return ensemble, GateResult(verdict.reasons, metrics)


def _is_personal(live: VersionView) -> bool:
    return live.metrics.get("serves") == "model"


def _tune_settings(
    split: Split,
    parameters: TrainingParameters,
    previous_settings: ParameterOverrides,
    heartbeat: JobHeartbeat,
    backend: DistributedBackend | None,
) -> tuple[ParameterOverrides, dict[str, Any]]:
    """Settings of the members that differ from the defaults, and what the version's metrics say of them.

    Found now if that is ordered, else those that were found for this tenant before. The cases of `split` stay hidden."""
    if parameters.tuning_budget is None or not len(split):
        return previous_settings, {"settings": previous_settings}
    heartbeat.start_phase("tuning", low=20, high=32)
    found = tune_models(
        leave_last_out(split.train),
        TuningOptions(
            budget=parameters.tuning_budget,
            profile=parameters.profile,
            previous=previous_settings,
            backend=backend,
        ),
        report=heartbeat.report_progress,
        log=SearchLog.from_checkpoint(
            parameters.checkpoint, lambda state: heartbeat.save_checkpoint({"tuning": state})
        ),
    )
    return found.overrides, {"settings": found.overrides, "tuning": found.report}


def _load_live_bundle(tenant: TenantRef, version: VersionView | None) -> Bundle | None:
    """The model in service, to compare with; one that cannot be read is not a competitor."""
    if version is None or not version.has_artefact:
        return None
    try:
        return Bundle.from_files(artefacts.read_artefact(tenant, version.artefact_id, version.manifest))
    except (ArtefactCorrupt, DataError):
        return None


def _select_servable_model(
    ensemble: Ensemble, gate_result: GateResult, live: VersionView | None
) -> tuple[Ensemble | None, GateResult]:
    """The trained model, or, while no personal model is in service, popularity with content for similar items."""
    if not gate_result.reasons:
        return ensemble, gate_result
    if (live is not None and _is_personal(live)) or Popularity.name not in ensemble.models:
        return None, gate_result
    kept = {name: m for name, m in ensemble.models.items() if name in _FALLBACK_MODELS}
    reduced = Ensemble(kept, Blend({Popularity.name: 1.0}), ensemble.items, ensemble.training_report)
    reasons = (*gate_result.reasons, DecisionReason("popularity_instead"))
    return reduced, GateResult(reasons, {**gate_result.metrics, "serves": "popularity"})
