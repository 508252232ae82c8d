"""The overview: figures, a chart, the latest runs, and what an anonymous visitor would see now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from lepton_platform.portal import figures
from lepton_platform.portal.access import Here
from lepton_platform.portal.figures import Period, Stat
from lepton_platform.portal.pictures import Card, cards
from lepton_platform.portal.quality import Quality, quality
from lepton_platform.portal.runs import Run, run
from lepton_platform.portal.templatetags.portal import score
from recommender.registry import queries as registry
from recommender.serving.recommend import recommend
from recommender.serving.types import RecommendRequest
from tenants.data.queries import counters, jobs, space
from tenants.data.queries.counters import DailyCount
from tenants.scope import scope

RUNS = 4
CARDS = 4


@dataclass(frozen=True, slots=True)
class Dashboard:
    stats: list[Stat]
    chart: dict[str, Any] | None
    runs: list[Run]
    cards: list[Card]
    active: Quality | None
    last_event_at: datetime | None


def read(here: Here, period: Period) -> Dashboard:
    with scope(here.ref, actor=here.actor) as s:
        counts = counters.daily(s, period.before, period.until)
        state = space.state(s)
        versions = [quality(version) for version in registry.versions(s)]
        found, _more = jobs.jobs_page(s, limit=RUNS, kind="train")
    question = RecommendRequest(k=CARDS, scenario=f"{figures.TRIED_HERE}overview")
    answer = recommend(here.ref, question, actor=here.actor)
    return Dashboard(
        stats=_stats(counts, period, versions),
        chart=_chart(counts, period),
        runs=[run(job) for job in found],
        cards=cards(here, answer.items),
        active=next((one for one in versions if one.version.active), None),
        last_event_at=state.last_event_at,
    )


def _stats(counts: list[DailyCount], period: Period, versions: list[Quality]) -> list[Stat]:
    requests, served = figures.requests(counts, period), figures.served(counts, period)
    return [
        figures.count_stat(_("Recommendation requests"), requests),
        figures.rate_stat(_("Click-through rate"), figures.clicks(counts, period), served),
        figures.count_stat(_("Events received"), figures.events(counts, period)),
        _quality_stat(versions),
    ]


def _quality_stat(versions: list[Quality]) -> Stat:
    active = next((one for one in versions if one.version.active), None)
    series = [one.ndcg for one in reversed(versions) if one.ndcg is not None]
    uplift = active.uplift if active else None
    if uplift is None:
        return Stat(_("Ranking quality (nDCG@10)"), score(active.ndcg if active else None), series)
    delta = _("%(change)s vs popularity") % {"change": f"{uplift * 100:+.0f}%"}
    return Stat(_("Ranking quality (nDCG@10)"), score(active.ndcg if active else None), series, delta, "good")


def _chart(counts: list[DailyCount], period: Period) -> dict[str, Any] | None:
    """Requests and clicks; while nothing was asked yet, the events received; None without either."""
    requests, events = figures.requests(counts, period), figures.events(counts, period)
    if requests.total:
        clicks = figures.clicks(counts, period)
        lines = [
            figures.line(_("Requests"), requests.values, filled=True),
            figures.line(_("Clicks"), clicks.values, dashed=True),
        ]
    elif events.total:
        lines = [figures.line(_("Events"), events.values, filled=True)]
    else:
        return None
    return {"labels": figures.day_labels(period), "series": lines, "whole": True}
