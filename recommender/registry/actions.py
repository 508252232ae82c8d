"""Publishes, promotes and rolls back model versions: a compare-and-set of the active pointer, with an audit entry."""

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
    """Inserts the version and, unless it is refused, moves the pointer from `expected` to it.

    Args:
        s: the tenant's scope.
        trained: the result of a training; its artefact has been written.
        expected: the active version when the training began, or None.

    Returns:
        The stored version. If the pointer was moved in the meantime, it stays a candidate with the reason "overtaken". A
        second call for the same job returns the version that the first call stored.
    """
    _lock_registry(s)
    earlier = queries.find_version_of_job(s, trained.job_id)
    if earlier is not None:
        return earlier
    row = _insert_version(s, trained)
    audit.record_entry(
        s,
        "model.trained",
        f"v{row.version}",
        state=row.state,
        reason=row.reason,
    )
    if not trained.refused and not _swap_active_version(s, row.version, expected=expected):
        _set_state(s, row.version, ModelState.CANDIDATE, reasons=_OVERTAKEN)
    return queries.get_version(s, row.version)


def promote(s: Scope, number: int, *, expected: int | None) -> VersionView:
    """Makes a version the active one.

    Raises:
        NotFound: there is no such version.
        Conflict: the version cannot serve, or the active version is not `expected`.
    """
    promoted = _activate_version(s, number, expected=expected)
    audit.record_entry(s, "model.promoted", f"v{number}", previous=expected)
    return promoted


def roll_back(
    s: Scope, *, expected: int | None, reasons: Sequence[DecisionReason] = _ROLLED_BACK
) -> VersionView:
    """Makes the previous version active again and returns it.

    Args:
        s: the tenant's scope.
        expected: the version to roll back from. It becomes a candidate, which only a person promotes again.
        reasons: stored on that version.

    Raises:
        NotFound: no earlier version has its files.
        Conflict: the active version is not `expected`.
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
        active=target.name,
        codes=codes,
        reason=translate_reasons_to_english(reasons),
    )
    return promoted


def mark_corrupt(s: Scope, number: int, *, reason: str) -> VersionView | None:
    """Marks a version whose files fail verification; returns the version that is active afterwards.

    The reason is stored on the version and on the job that trained it. Running twice changes nothing.
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
    """Stores what monitoring measured of a version; the keywords are the fields `live` and `drift`."""
    fields = {name: dict(value) for name, value in observations.items()}
    ModelVersion.objects.filter(tenant_id=s.tenant_id, version=number).update(**fields)


def prune_artefacts(s: Scope) -> list[UUID]:
    """Clears `has_artefact` of all versions but the active one and MAX_ROLL_BACK_VERSIONS others.

    Returns the artefacts that no version names any more; the caller removes their folders.
    """
    with_artefact = ModelVersion.objects.filter(tenant_id=s.tenant_id, has_artefact=True)
    idle = with_artefact.exclude(state=ModelState.ACTIVE)
    newest_first = idle.exclude(state=ModelState.CORRUPT).order_by("-version")
    roll_back_versions = list(newest_first.values_list("version", flat=True)[:MAX_ROLL_BACK_VERSIONS])
    expired = idle.exclude(version__in=roll_back_versions)
    artefact_ids = list(expired.values_list("artefact_id", flat=True))
    expired.update(has_artefact=False)
    return artefact_ids


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
    versions = ModelVersion.objects.filter(tenant_id=s.tenant_id)
    newest_number = versions.aggregate(newest=models.Max("version"))["newest"]
    row = ModelVersion.objects.create(
        tenant_id=s.tenant_id,
        version=(newest_number or 0) + 1,
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
    """Compare-and-set of the pointer, then the states of both versions; returns whether the pointer was moved."""
    if expected is None:
        _, moved = ActiveModel.objects.get_or_create(tenant_id=s.tenant_id, defaults={"version": number})
    else:
        # The condition is part of the UPDATE, so of two concurrent moves only one changes a row.
        pointer = ActiveModel.objects.filter(tenant_id=s.tenant_id, version=expected)
        moved = (
            pointer.update(
                version=number,
                moves=models.F("moves") + 1,
                changed_at=Now(),
            )
            == 1
        )
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
        version=target.version,
        moves=models.F("moves") + 1,
        changed_at=Now(),
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
    """Sets the state; `reasons` or a `message` without a code replace the stored reasons, if given."""
    changes: dict[str, Any] = {"state": state, "changed_at": Now()}
    if reasons is not None or message:
        changes["reason"] = message or translate_reasons_to_english(reasons or ())
        changes["reasons"] = [reason.to_json() for reason in reasons or ()]
    ModelVersion.objects.filter(tenant_id=s.tenant_id, version=number).update(**changes)


def _lock_registry(s: Scope) -> None:
    """Serialises registry changes of a tenant until the transaction ends."""
    # Advisory locks take a signed 64-bit key: the upper 63 bits of the tenant's UUID.
    s.cursor().execute("SELECT pg_advisory_xact_lock(%s)", (s.tenant_id.int >> 65,))
