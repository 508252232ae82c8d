"""The overview page: statistics, a chart, the latest training runs, and recommendations for an anonymous visitor."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from lepton_platform.portal.access import WorkspaceContext
from lepton_platform.portal.presenters import statistics
from lepton_platform.portal.presenters.item_cards import ItemCard, build_item_cards
from lepton_platform.portal.presenters.model_quality import ModelQuality, present_quality
from lepton_platform.portal.presenters.statistics import ReportPeriod, Stat
from lepton_platform.portal.presenters.training_runs import TrainingRun, present_run
from lepton_platform.portal.templatetags.portal import format_score
from recommender.registry import queries as registry
from recommender.serving.recommend import recommend
from recommender.serving.types import RecommendRequest
from tenants.data.queries import counters, jobs, tenant_state
from tenants.data.queries.counters import DailyCount
from tenants.scope import scope

MAX_RUNS = 4
MAX_CARDS = 4


@dataclass(frozen=True, slots=True)
class WorkspaceDashboard:
    """The content of the overview page. `chart` is None before the first request and the first event."""

    stats: list[Stat]
    chart: dict[str, Any] | None
    runs: list[TrainingRun]
    cards: list[ItemCard]
    last_event_at: datetime | None


def load_dashboard(workspace: WorkspaceContext, period: ReportPeriod) -> WorkspaceDashboard:
    """Loads the overview page of a workspace."""
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        counts = counters.list_daily_counts(s, period.previous_start_date, period.end_date)
        state = tenant_state.get_state(s)
        versions = [present_quality(version) for version in registry.list_versions(s)]
        train_jobs, _has_more = jobs.list_jobs(s, limit=MAX_RUNS, kind="train")
    # Outside the scope: recommend() opens its own, after the model is loaded.
    request = RecommendRequest(k=MAX_CARDS, scenario=f"{statistics.PORTAL_SCENARIO_PREFIX}overview")
    answer = recommend(workspace.tenant_ref, request, actor=workspace.actor)
    return WorkspaceDashboard(
        stats=_build_stats(counts, period, versions),
        chart=_build_traffic_chart(counts, period),
        runs=[present_run(job) for job in train_jobs],
        cards=build_item_cards(workspace, answer.items),
        last_event_at=state.last_event_at,
    )


def _build_stats(counts: list[DailyCount], period: ReportPeriod, versions: list[ModelQuality]) -> list[Stat]:
    requests = statistics.count_requests(counts, period)
    served_items = statistics.count_served_items(counts, period)
    clicks = statistics.count_clicks(counts, period)
    events = statistics.count_events(counts, period)
    return [
        statistics.build_count_stat(_("Recommendation requests"), requests),
        statistics.build_rate_stat(_("Click-through rate"), clicks, served_items),
        statistics.build_count_stat(_("Events received"), events),
        _build_quality_stat(versions),
    ]


def _build_quality_stat(versions: list[ModelQuality]) -> Stat:
    """The nDCG of the active version, with the nDCG of all versions as its series; `versions` are newest first."""
    active = next((quality for quality in versions if quality.version.is_active), None)
    series = [quality.ndcg for quality in reversed(versions) if quality.ndcg is not None]
    label = _("Ranking quality (nDCG@10)")
    value = format_score(active.ndcg if active else None)
    if active is None or active.uplift is None:
        return Stat(label, value, series)
    delta = _("%(change)s vs popularity") % {"change": f"{active.uplift * 100:+.0f}%"}
    return Stat(label, value, series, delta=delta, tone="good")


def _build_traffic_chart(counts: list[DailyCount], period: ReportPeriod) -> dict[str, Any] | None:
    """The chart of requests and clicks; before the first request, of events; None without either."""
    requests = statistics.count_requests(counts, period)
    events = statistics.count_events(counts, period)
    if requests.total:
        clicks = statistics.count_clicks(counts, period)
        series = [
            statistics.build_chart_line(_("Requests"), requests.values, filled=True),
            statistics.build_chart_line(_("Clicks"), clicks.values, dashed=True),
        ]
    elif events.total:
        series = [statistics.build_chart_line(_("Events"), events.values, filled=True)]
    else:
        return None
    return {"labels": statistics.format_day_labels(period), "series": series, "integer_axis": True}
