"""One training: load the data, train or refresh a model, apply the promotion gate, publish the version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec
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
from recommender.training import gate, phases, refresh
from recommender.training.candidate import CandidateModel
from recommender.training.distributed import select_distributed_backend
from recommender.training.gate import GateMetrics
from recommender.training.job_heartbeat import JobHeartbeat
from recommender.training.job_parameters import TrainingParameters
from recommender.training.packaging import TrainingDetails, build_version_metrics, package_model
from recommender.training.refresh_schedule import get_last_full_training
from recommender.training.side_data import EnrichedData, load_side_data
from recommender.tuning.search_log import SearchLog
from recommender.tuning.tuner import TuningOptions, tune_models
from recommender.types import DataError
from tenants.regions import TenantRef
from tenants.scope import Actor, scope

# Models that may serve without an evaluation: popularity for recommendations, content models for similar items.
_FALLBACK_MODELS = (Popularity.name, TfidfContent.name, VisualSimilarity.name, TripleSimilarity.name)


@dataclass(frozen=True, slots=True)
class _TrainingRun:
    """What all steps of one training need."""

    tenant: TenantRef
    enriched: EnrichedData
    live: VersionView | None
    parameters: TrainingParameters
    heartbeat: JobHeartbeat
    backend: DistributedBackend | None


@dataclass(frozen=True, slots=True)
class _TunedSettings:
    """Hyper-parameters that differ from the defaults, by model name; `report` is that of a search in this training."""

    overrides: ParameterOverrides
    report: Mapping[str, Any] | None = None


def train_and_publish(
    tenant: TenantRef,
    job_id: UUID,
    *,
    parameters: TrainingParameters,
    actor: Actor,
    heartbeat: JobHeartbeat,
) -> VersionView:
    """Runs a training and returns its version, published or refused; a second run of the same job publishes nothing.

    Args:
        job_id: is stored with the version.
        parameters: the job's parameters.
        actor: recorded with each scope and in the audit log.
        heartbeat: progress and cancellation; its TrainingCancelled and LeaseLost pass through.

    Raises:
        DataError: there is nothing to train on.
        StoreUnavailable, KeyServiceUnavailable: the object store or the key service does not answer.
    """
    heartbeat.start_phase(phases.READING_EVENTS)
    training_data = interactions.load_training_data(tenant, actor=actor, report=heartbeat.report_fraction)
    if training_data.dataset.n_items == 0:
        raise DataError("The catalogue is empty: send items first.")
    enriched = load_side_data(
        tenant,
        training_data,
        profile=parameters.profile,
        actor=actor,
        heartbeat=heartbeat,
    )
    with scope(tenant, actor=actor) as s:
        # Read before the training: if it has changed by the end, another training was faster.
        active_number = queries.get_active_number(s)
        live = queries.get_active_version(s)
        tuned_settings = queries.get_tuned_settings(s)
    run = _TrainingRun(
        tenant=tenant,
        enriched=enriched,
        live=live,
        parameters=parameters,
        heartbeat=heartbeat,
        backend=select_distributed_backend(enriched.training_data.dataset),
    )
    candidate = None
    if parameters.refresh:
        candidate = _refresh_live_model(run)
    if candidate is None:
        candidate = _train_from_scratch(run, tuned_settings)
    candidate = _select_servable_model(candidate, live)
    heartbeat.start_phase(phases.PACKAGING)
    trained = package_model(tenant, job_id, candidate, enriched, profile=parameters.profile)
    heartbeat.start_phase(phases.PUBLISHING)
    with scope(tenant, actor=actor) as s:
        version = actions.publish_model(s, trained, expected=active_number)
        unreferenced = actions.prune_artefacts(s)
    # After the commit: a folder must not disappear while a row still names it.
    for artefact_id in unreferenced:
        artefacts.remove_artefact(tenant, artefact_id)
    return version


def _refresh_live_model(run: _TrainingRun) -> CandidateModel | None:
    """None if no personal model is active, or if the active one cannot be refreshed."""
    live = run.live
    bundle = _load_live_bundle(run.tenant, live)
    if live is None or bundle is None or live.latest_event_at is None or not live.is_personal:
        return None
    refreshed = refresh.refresh_model(
        bundle,
        live.latest_event_at,
        run.enriched,
        profile=run.parameters.profile,
        heartbeat=run.heartbeat,
        backend=run.backend,
    )
    if refreshed is None:
        return None
    details = TrainingDetails(
        protocol="time-split",
        settings=live.parsed_metrics.settings,
        refreshed_from=live.version,
        full=get_last_full_training(live),
    )
    result = refreshed.gate_result
    metrics = build_version_metrics(refreshed.ensemble, run.enriched.training_data, result.metrics, details)
    return CandidateModel(refreshed.ensemble, result.reasons, metrics)


def _train_from_scratch(run: _TrainingRun, previous_settings: ParameterOverrides) -> CandidateModel:
    """Trains on the past, evaluates on the held-out events, then refits on everything.

    Without any event nothing is evaluated, and the model is accepted. If there are events, but none can be held out, the model is
    refused with the reason `few_cases`. The evaluated models read no review that is newer than their training events.
    """
    training_data = run.enriched.training_data
    live_trained_until = None
    if run.live is not None and run.live.is_personal:
        # Only then is there an active model to compare with; otherwise a longer test period is better.
        live_trained_until = run.live.latest_event_at
    held_out = gate.hold_out(
        training_data.dataset,
        live_trained_until=live_trained_until,
        max_cases=TRAINING_PROFILES[run.parameters.profile].max_cases,
    )
    split = held_out.split
    tuned = _tune_settings(run, split, previous_settings)
    is_tuned = run.parameters.tuning_budget is not None
    run.heartbeat.start_phase(phases.TRAINING_AFTER_TUNING if is_tuned else phases.TRAINING)
    # A fixed seed: the same data gives the same model.
    rng = np.random.default_rng(0)
    details = TrainingDetails(protocol=held_out.protocol, settings=tuned.overrides, tuning=tuned.report)
    if not len(split):
        return _train_without_evaluation(run, tuned, details, rng)
    options = FitOptions(
        profile=run.parameters.profile,
        refit_on_all=False,
        overrides=tuned.overrides,
        serving_budget_ms=SERVING_BUDGET_MS,
        backend=run.backend,
    )
    past_data = run.enriched.add_past_reviews(split.train)
    fitted = fit_ensemble(past_data, options, rng=rng, report=run.heartbeat.report_progress)
    ensemble = fitted.prune_models(keep=_FALLBACK_MODELS)
    run.heartbeat.start_phase(phases.EVALUATING)
    is_fair = held_out.protocol == "time-split" and gate.is_fair_comparison(
        live_trained_until, training_data.dataset, split
    )
    live_bundle = _load_live_bundle(run.tenant, run.live)
    result = gate.evaluate_on_tenant(ensemble, split, live_bundle, training_data, live_is_fair=is_fair)
    metrics = build_version_metrics(ensemble, training_data, result.metrics, details)
    run.heartbeat.start_phase(phases.REFITTING)
    for model in ensemble.models.values():
        model.fit_partial(run.enriched.full_dataset, rng)
    return CandidateModel(ensemble, result.reasons, metrics)


def _train_without_evaluation(
    run: _TrainingRun, tuned: _TunedSettings, details: TrainingDetails, rng: np.random.Generator
) -> CandidateModel:
    """Trains on everything; if there are events, the gate's reason is that there are too few cases."""
    training_data = run.enriched.training_data
    options = FitOptions(
        profile=run.parameters.profile,
        overrides=tuned.overrides,
        backend=run.backend,
    )
    ensemble = fit_ensemble(run.enriched.full_dataset, options, rng=rng, report=run.heartbeat.report_progress)
    reasons: tuple[DecisionReason, ...] = ()
    if training_data.dataset.n_events:
        reasons = (gate.create_few_cases_reason(0),)
    details = replace(details, protocol=None)
    metrics = build_version_metrics(ensemble, training_data, GateMetrics(), details)
    return CandidateModel(ensemble, reasons, metrics)


def _tune_settings(run: _TrainingRun, split: Split, previous_settings: ParameterOverrides) -> _TunedSettings:
    """Searches for hyper-parameters if the job orders it; otherwise returns those of the last search.

    The search sees the training part of the split only, so the evaluation stays valid.
    """
    budget = run.parameters.tuning_budget
    if budget is None or not len(split):
        return _TunedSettings(previous_settings)
    run.heartbeat.start_phase(phases.TUNING)
    search_log = SearchLog.from_checkpoint(
        run.parameters.checkpoint, lambda state: run.heartbeat.save_checkpoint({"tuning": state})
    )
    options = TuningOptions(
        budget=budget,
        profile=run.parameters.profile,
        previous=previous_settings,
        backend=run.backend,
    )
    tuned = tune_models(
        leave_last_out(split.train),
        options,
        report=run.heartbeat.report_progress,
        log=search_log,
    )
    return _TunedSettings(tuned.overrides, tuned.report)


def _load_live_bundle(tenant: TenantRef, version: VersionView | None) -> Bundle | None:
    """The active model; None if its files cannot be read, because then it cannot serve either."""
    if version is None or not version.has_artefact:
        return None
    try:
        return Bundle.from_files(artefacts.read_artefact(tenant, version.artefact_id, version.manifest))
    except (ArtefactCorrupt, DataError):
        return None


def _select_servable_model(candidate: CandidateModel, live: VersionView | None) -> CandidateModel:
    """The candidate itself if the gate accepted it.

    A refused candidate never replaces a personal model. While no personal model is active, its popularity model is published in
    its place; its content models have no weight in the blend and are published for similar items.
    """
    ensemble = candidate.ensemble
    if not candidate.reasons or ensemble is None:
        return candidate
    if (live is not None and live.is_personal) or Popularity.name not in ensemble.models:
        return replace(candidate, ensemble=None)
    fallback_models = {name: model for name, model in ensemble.models.items() if name in _FALLBACK_MODELS}
    fallback = Ensemble(
        fallback_models,
        Blend({Popularity.name: 1.0}),
        ensemble.items,
        ensemble.training_report,
    )
    return CandidateModel(
        ensemble=fallback,
        reasons=(*candidate.reasons, DecisionReason("popularity_instead")),
        metrics=msgspec.structs.replace(candidate.metrics, serving_mode="popularity"),
    )
