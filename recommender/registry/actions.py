"""Moves of the active pointer. Each is one compare-and-set inside the caller's scope, with its audit line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.functions import Now

from recommender.evaluation.decisions.promotion_gate import DecisionReason
from recommender.models import ActiveModel, ModelState, ModelVersion
from recommender.registry import queries
from recommender.registry.reasons import translate_reasons_to_english
from recommender.registry.types import TrainedModel, VersionView, to_version_view
from tenants import audit
from tenants.data.actions import jobs
from tenants.errors import Conflict, NotFound
from tenants.scope import Scope

MAX_ROLL_BACK_VERSIONS = 2
_SERVABLE = (ModelState.CANDIDATE, ModelState.RETIRED, ModelState.ACTIVE)
_OVERTAKEN = (DecisionReason("overtaken"),)
_ROLLED_BACK = (DecisionReason("rolled_back"),)


def publish_model(s: Scope, trained: TrainedModel, *, expected: int | None) -> VersionView:
    """Inserts the version and, unless refused, moves the pointer from `expected` to it.

    A second call for the same job returns the first one's version. When the pointer moved meanwhile the
    version stays a candidate and says so.
    """
    _lock_registry(s)
    earlier = queries.find_version_of_job(s, trained.job_id)
    if earlier is not None:
        return earlier
    row = _insert_version(s, trained)
    audit.record_entry(s, "model.trained", f"v{row.version}", state=row.state, reason=row.reason)
    if not trained.refused and not _swap_active_version(s, row.version, expected=expected):
        _set_state(s, row.version, ModelState.CANDIDATE, reasons=_OVERTAKEN)
    return queries.get_version(s, row.version)


def promote(s: Scope, number: int, *, expected: int | None) -> VersionView:
    """Raises NotFound, and Conflict when the version cannot serve or the active one is not `expected`."""
    promoted = _activate_version(s, number, expected=expected)
    audit.record_entry(s, "model.promoted", f"v{number}", previous=expected)
    return promoted


def roll_back(
    s: Scope, *, expected: int | None, reasons: Sequence[DecisionReason] = _ROLLED_BACK
) -> VersionView:
    """Returns to the version that served before; the one left may be promoted again, but only by hand.

    `reasons` stand on the version that is left. Raises NotFound when none is kept, Conflict as `promote`.
    """
    target = queries.find_roll_back_target(s)
    if target is None or expected is None:
        raise NotFound("No earlier version is kept.")
    promoted = _activate_version(s, target.version, expected=expected)
    _set_state(s, expected, ModelState.CANDIDATE, reasons=reasons)
    codes = ",".join(reason.code for reason in reasons)
    audit.record_entry(
        s,
        "model.rolled_back",
        f"v{expected}",
        serves=target.name,
        codes=codes,
        reason=translate_reasons_to_english(reasons),
    )
    return promoted


def mark_corrupt(s: Scope, number: int, *, reason: str) -> VersionView | None:
    """Takes a version whose files do not verify out of service; returns the one that serves now.

    The reason stands on the version and on the job that made it.
    """
    _lock_registry(s)
    if queries.get_version(s, number).state == ModelState.CORRUPT:
        return queries.get_active_version(s)
    was_active = queries.get_active_number(s) == number
    jobs.add_reason(s, queries.get_version(s, number).job_id, reason)
    _set_state(s, number, ModelState.CORRUPT, message=reason)
    audit.record_entry(s, "model.corrupt", f"v{number}", reason=reason)
    if was_active:
        _restore_previous_version(s, number)
    return queries.get_active_version(s)


def record_observation(s: Scope, number: int, **observations: Mapping[str, Any]) -> None:
    """Writes down what was observed of a version: `live`, `drift`."""
    ModelVersion.objects.filter(tenant_id=s.tenant_id, version=number).update(
        **{name: dict(value) for name, value in observations.items()}
    )


def prune_artefacts(s: Scope) -> list[UUID]:
    """Forgets all artefacts but the active and two to roll back to; the caller removes the folders."""
    idle = ModelVersion.objects.filter(tenant_id=s.tenant_id, has_artefact=True).exclude(
        state=ModelState.ACTIVE
    )
    keep = idle.exclude(state=ModelState.CORRUPT).order_by("-version").values_list("version", flat=True)
    gone = idle.exclude(version__in=list(keep[:MAX_ROLL_BACK_VERSIONS]))
    artefacts = list(gone.values_list("artefact_id", flat=True))
    gone.update(has_artefact=False)
    return artefacts


def _activate_version(s: Scope, number: int, *, expected: int | None) -> VersionView:
    _lock_registry(s)
    target = queries.get_version(s, number)
    if target.state not in _SERVABLE or not target.has_artefact:
        raise Conflict(f"Version {number} cannot serve: it is {target.state}.")
    if not _swap_active_version(s, number, expected=expected):
        raise Conflict("Another version became active in the meantime.")
    if target.state == ModelState.CANDIDATE:
        _set_state(s, number, ModelState.ACTIVE, reasons=())
    return queries.get_version(s, number)


def _insert_version(s: Scope, trained: TrainedModel) -> VersionView:
    newest = ModelVersion.objects.filter(tenant_id=s.tenant_id).aggregate(top=models.Max("version"))["top"]
    row = ModelVersion.objects.create(
        tenant_id=s.tenant_id,
        version=(newest or 0) + 1,
        state=ModelState.REFUSED if trained.refused else ModelState.CANDIDATE,
        profile=trained.profile,
        job_id=trained.job_id,
        artefact_id=trained.artefact_id,
        has_artefact=bool(trained.manifest),
        manifest=dict(trained.manifest),
        metrics=dict(trained.metrics),
        reason=trained.reason or translate_reasons_to_english(trained.reasons),
        reasons=[reason.to_json() for reason in trained.reasons],
        trained_at=trained.trained_at,
        latest_event_at=trained.latest_event_at,
    )
    return to_version_view(row)


def _swap_active_version(s: Scope, number: int, *, expected: int | None) -> bool:
    """Compare-and-set of the pointer; the version states follow it."""
    if expected is None:
        _, moved = ActiveModel.objects.get_or_create(tenant_id=s.tenant_id, defaults={"version": number})
    else:
        pointer = ActiveModel.objects.filter(tenant_id=s.tenant_id, version=expected)
        moved = pointer.update(version=number, moves=models.F("moves") + 1, changed_at=Now()) == 1
    if not moved:
        return False
    if expected is not None and expected != number:
        _set_state(s, expected, ModelState.RETIRED)
    _set_state(s, number, ModelState.ACTIVE)
    return True


def _restore_previous_version(s: Scope, number: int) -> None:
    target = queries.find_roll_back_target(s)
    if target is None:
        ActiveModel.objects.filter(tenant_id=s.tenant_id, version=number).delete()
        return
    ActiveModel.objects.filter(tenant_id=s.tenant_id, version=number).update(
        version=target.version, moves=models.F("moves") + 1, changed_at=Now()
    )
    _set_state(s, target.version, ModelState.ACTIVE)


def _set_state(
    s: Scope,
    number: int,
    state: ModelState,
    *,
    reasons: Sequence[DecisionReason] | None = None,
    message: str = "",
) -> None:
    """`reasons` replace those that stand there; `said` is one that has no code."""
    changes: dict[str, Any] = {"state": state, "changed_at": Now()}
    if reasons is not None or message:
        changes["reason"] = message or translate_reasons_to_english(reasons or ())
        changes["reasons"] = [reason.to_json() for reason in reasons or ()]
    ModelVersion.objects.filter(tenant_id=s.tenant_id, version=number).update(**changes)


def _lock_registry(s: Scope) -> None:
    """One registry change of a tenant at a time, until the transaction ends."""
    s.cursor().execute("SELECT pg_advisory_xact_lock(%s)", (s.tenant_id.int >> 65,))
