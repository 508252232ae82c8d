"""The overview: figures, a chart, the latest runs, and what an anonymous visitor would see now."""

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
    stats: list[Stat]
    chart: dict[str, Any] | None
    runs: list[TrainingRun]
    cards: list[ItemCard]
    active_model: ModelQuality | None
    last_event_at: datetime | None


def load_dashboard(workspace: WorkspaceContext, period: ReportPeriod) -> WorkspaceDashboard:
    with scope(workspace.tenant_ref, actor=workspace.actor) as s:
        counts = counters.list_daily_counts(s, period.previous_start_date, period.end_date)
        state = tenant_state.get_state(s)
        versions = [present_quality(version) for version in registry.list_versions(s)]
        found, _more = jobs.list_jobs(s, limit=MAX_RUNS, kind="train")
    question = RecommendRequest(k=MAX_CARDS, scenario=f"{statistics.PORTAL_SCENARIO_PREFIX}overview")
    answer = recommend(workspace.tenant_ref, question, actor=workspace.actor)
    return WorkspaceDashboard(
        stats=_build_stats(counts, period, versions),
        chart=_build_traffic_chart(counts, period),
        runs=[present_run(job) for job in found],
        cards=build_item_cards(workspace, answer.items),
        active_model=next((one for one in versions if one.version.is_active), None),
        last_event_at=state.last_event_at,
    )


def _build_stats(counts: list[DailyCount], period: ReportPeriod, versions: list[ModelQuality]) -> list[Stat]:
    requests, served = (
        statistics.count_requests(counts, period),
        statistics.count_served_items(counts, period),
    )
    return [
        statistics.build_count_stat(_("Recommendation requests"), requests),
        statistics.build_rate_stat(_("Click-through rate"), statistics.count_clicks(counts, period), served),
        statistics.build_count_stat(_("Events received"), statistics.count_events(counts, period)),
        _build_quality_stat(versions),
    ]


def _build_quality_stat(versions: list[ModelQuality]) -> Stat:
    active = next((one for one in versions if one.version.is_active), None)
    series = [one.ndcg for one in reversed(versions) if one.ndcg is not None]
    uplift = active.uplift if active else None
    if uplift is None:
        return Stat(_("Ranking quality (nDCG@10)"), format_score(active.ndcg if active else None), series)
    delta = _("%(change)s vs popularity") % {"change": f"{uplift * 100:+.0f}%"}
    return Stat(
        _("Ranking quality (nDCG@10)"), format_score(active.ndcg if active else None), series, delta, "good"
    )


def _build_traffic_chart(counts: list[DailyCount], period: ReportPeriod) -> dict[str, Any] | None:
    """Requests and clicks; while nothing was asked yet, the events received; None without either."""
    requests, events = statistics.count_requests(counts, period), statistics.count_events(counts, period)
    if requests.total:
        clicks = statistics.count_clicks(counts, period)
        lines = [
            statistics.build_chart_line(_("Requests"), requests.values, filled=True),
            statistics.build_chart_line(_("Clicks"), clicks.values, dashed=True),
        ]
    elif events.total:
        lines = [statistics.build_chart_line(_("Events"), events.values, filled=True)]
    else:
        return None
    return {"labels": statistics.format_day_labels(period), "series": lines, "whole": True}
