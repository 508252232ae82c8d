"""Moves of the active pointer. Each is one compare-and-set inside the caller's scope, with its audit line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.functions import Now

from recommender.evaluation.verdicts import Reason
from recommender.models import ActiveModel, ModelState, ModelVersion
from recommender.registry import queries
from recommender.registry.reasons import english
from recommender.registry.types import Trained, VersionView, view
from tenants import audit
from tenants.data.actions import jobs
from tenants.errors import Conflict, NotFound
from tenants.scope import Scope

KEPT_FOR_ROLL_BACK = 2
_SERVABLE = (ModelState.CANDIDATE, ModelState.RETIRED, ModelState.ACTIVE)
_OVERTAKEN = (Reason("overtaken"),)
_TAKEN_BACK = (Reason("taken_back"),)


def publish(s: Scope, trained: Trained, *, expected: int | None) -> VersionView:
    """Inserts the version and, unless refused, moves the pointer from `expected` to it.

    A second call for the same job returns the first one's version. When the pointer moved meanwhile the
    version stays a candidate and says so.
    """
    _serialise(s)
    earlier = queries.of_job(s, trained.job_id)
    if earlier is not None:
        return earlier
    row = _insert(s, trained)
    audit.record(s, "model.trained", f"v{row.version}", state=row.state, reason=row.reason)
    if not trained.refused and not _swap(s, row.version, expected=expected):
        _restate(s, row.version, ModelState.CANDIDATE, reasons=_OVERTAKEN)
    return queries.version(s, row.version)


def promote(s: Scope, number: int, *, expected: int | None) -> VersionView:
    """Raises NotFound, and Conflict when the version cannot serve or the active one is not `expected`."""
    promoted = _to(s, number, expected=expected)
    audit.record(s, "model.promoted", f"v{number}", previous=expected)
    return promoted


def roll_back(s: Scope, *, expected: int | None, reasons: Sequence[Reason] = _TAKEN_BACK) -> VersionView:
    """Returns to the version that served before; the one left may be promoted again, but only by hand.

    `reasons` stand on the version that is left. Raises NotFound when none is kept, Conflict as `promote`.
    """
    target = queries.roll_back_target(s)
    if target is None or expected is None:
        raise NotFound("No earlier version is kept.")
    promoted = _to(s, target.version, expected=expected)
    _restate(s, expected, ModelState.CANDIDATE, reasons=reasons)
    codes = ",".join(reason.code for reason in reasons)
    audit.record(
        s, "model.rolled_back", f"v{expected}", serves=target.name, codes=codes, reason=english(reasons)
    )
    return promoted


def mark_corrupt(s: Scope, number: int, *, reason: str) -> VersionView | None:
    """Takes a version whose files do not verify out of service; returns the one that serves now.

    The reason stands on the version and on the job that made it.
    """
    _serialise(s)
    if queries.version(s, number).state == ModelState.CORRUPT:
        return queries.active(s)
    was_active = queries.active_number(s) == number
    jobs.add_reason(s, queries.version(s, number).job_id, reason)
    _restate(s, number, ModelState.CORRUPT, said=reason)
    audit.record(s, "model.corrupt", f"v{number}", reason=reason)
    if was_active:
        _fall_back(s, number)
    return queries.active(s)


def note(s: Scope, number: int, **found: Mapping[str, Any]) -> None:
    """Writes down what was observed of a version: `live`, `drift`."""
    ModelVersion.objects.filter(tenant_id=s.tenant_id, version=number).update(
        **{name: dict(value) for name, value in found.items()}
    )


def prune(s: Scope) -> list[UUID]:
    """Forgets all artefacts but the active and two to roll back to; the caller removes the folders."""
    idle = ModelVersion.objects.filter(tenant_id=s.tenant_id, kept=True).exclude(state=ModelState.ACTIVE)
    keep = idle.exclude(state=ModelState.CORRUPT).order_by("-version").values_list("version", flat=True)
    gone = idle.exclude(version__in=list(keep[:KEPT_FOR_ROLL_BACK]))
    artefacts = list(gone.values_list("artefact_id", flat=True))
    gone.update(kept=False)
    return artefacts


def _to(s: Scope, number: int, *, expected: int | None) -> VersionView:
    _serialise(s)
    target = queries.version(s, number)
    if target.state not in _SERVABLE or not target.kept:
        raise Conflict(f"Version {number} cannot serve: it is {target.state}.")
    if not _swap(s, number, expected=expected):
        raise Conflict("Another version became active in the meantime.")
    if target.state == ModelState.CANDIDATE:
        _restate(s, number, ModelState.ACTIVE, reasons=())
    return queries.version(s, number)


def _insert(s: Scope, trained: Trained) -> VersionView:
    newest = ModelVersion.objects.filter(tenant_id=s.tenant_id).aggregate(top=models.Max("version"))["top"]
    row = ModelVersion.objects.create(
        tenant_id=s.tenant_id,
        version=(newest or 0) + 1,
        state=ModelState.REFUSED if trained.refused else ModelState.CANDIDATE,
        profile=trained.profile,
        job_id=trained.job_id,
        artefact_id=trained.artefact_id,
        kept=bool(trained.manifest),
        manifest=dict(trained.manifest),
        metrics=dict(trained.metrics),
        reason=trained.reason or english(trained.reasons),
        reasons=[reason.to_json() for reason in trained.reasons],
        trained_at=trained.trained_at,
        data_until=trained.data_until,
    )
    return view(row)


def _swap(s: Scope, number: int, *, expected: int | None) -> bool:
    """Compare-and-set of the pointer; the version states follow it."""
    if expected is None:
        _, moved = ActiveModel.objects.get_or_create(tenant_id=s.tenant_id, defaults={"version": number})
    else:
        pointer = ActiveModel.objects.filter(tenant_id=s.tenant_id, version=expected)
        moved = pointer.update(version=number, moves=models.F("moves") + 1, changed_at=Now()) == 1
    if not moved:
        return False
    if expected is not None and expected != number:
        _restate(s, expected, ModelState.RETIRED)
    _restate(s, number, ModelState.ACTIVE)
    return True


def _fall_back(s: Scope, number: int) -> None:
    target = queries.roll_back_target(s)
    if target is None:
        ActiveModel.objects.filter(tenant_id=s.tenant_id, version=number).delete()
        return
    ActiveModel.objects.filter(tenant_id=s.tenant_id, version=number).update(
        version=target.version, moves=models.F("moves") + 1, changed_at=Now()
    )
    _restate(s, target.version, ModelState.ACTIVE)


def _restate(
    s: Scope, number: int, state: ModelState, *, reasons: Sequence[Reason] | None = None, said: str = ""
) -> None:
    """`reasons` replace those that stand there; `said` is one that has no code."""
    changes: dict[str, Any] = {"state": state, "changed_at": Now()}
    if reasons is not None or said:
        changes["reason"] = said or english(reasons or ())
        changes["reasons"] = [reason.to_json() for reason in reasons or ()]
    ModelVersion.objects.filter(tenant_id=s.tenant_id, version=number).update(**changes)


def _serialise(s: Scope) -> None:
    """One registry change of a tenant at a time, until the transaction ends."""
    s.cursor().execute("SELECT pg_advisory_xact_lock(%s)", (s.tenant_id.int >> 65,))
