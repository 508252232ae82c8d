"""Reasons from reviews, in the reader's language.

They are built from counts over at least five reviewers and never contain text of a review.
"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from recommender.language.reviews.summary import AspectCount, ItemReviewSummary
from recommender.serving.snapshot.tenant_snapshot import TenantSnapshot
from recommender.serving.types import RecommendationReason

_MAX_REASONS = 2
_MIN_POSITIVE_FRACTION = 0.6
# A positive statement about a drug's effect could be read as medical advice.
_EXCLUDED_ASPECTS = frozenset({"effect", "side effects", "dosage"})
# Pseudo-reviews, half of them positive (Laplace smoothing), so that 5 of 5 ranks below 40 of 44.
_PRIOR_REVIEWS = 4.0

ASPECT_NAMES = {
    "battery": gettext_noop("battery"),
    "screen": gettext_noop("screen"),
    "picture": gettext_noop("picture"),
    "camera": gettext_noop("camera"),
    "sound": gettext_noop("sound"),
    "reception": gettext_noop("reception"),
    "speed": gettext_noop("speed"),
    "memory": gettext_noop("memory"),
    "software": gettext_noop("software"),
    "controls": gettext_noop("controls"),
    "setup": gettext_noop("setup"),
    "ease of use": gettext_noop("ease of use"),
    "features": gettext_noop("features"),
    "heat": gettext_noop("heat"),
    "noise": gettext_noop("noise"),
    "size": gettext_noop("size"),
    "fit": gettext_noop("fit"),
    "fabric": gettext_noop("fabric"),
    "colour": gettext_noop("colour"),
    "style": gettext_noop("style"),
    "comfort": gettext_noop("comfort"),
    "workmanship": gettext_noop("workmanship"),
    "durability": gettext_noop("durability"),
    "weight": gettext_noop("weight"),
    "quality": gettext_noop("quality"),
    "price": gettext_noop("price"),
    "delivery": gettext_noop("delivery"),
    "packaging": gettext_noop("packaging"),
    "service": gettext_noop("service"),
    "taste": gettext_noop("taste"),
    "portion": gettext_noop("portion"),
    "freshness": gettext_noop("freshness"),
    "food": gettext_noop("food"),
    "hygiene": gettext_noop("hygiene"),
    "room": gettext_noop("room"),
    "location": gettext_noop("location"),
    "surroundings": gettext_noop("surroundings"),
    "content": gettext_noop("content"),
    "print quality": gettext_noop("print quality"),
    "effect": gettext_noop("effect"),
    "side effects": gettext_noop("side effects"),
    "dosage": gettext_noop("dosage"),
    "authenticity": gettext_noop("authenticity"),
}


def build_review_reasons(snapshot: TenantSnapshot, item_no: int) -> list[RecommendationReason]:
    """At most two reasons, by descending smoothed fraction of positive reviewers.

    Aspects come first; without a sufficiently positive aspect, the item as a whole. Empty if too few people reviewed the item
    or too few of them were positive.
    """
    if snapshot.bundle is None:
        return []
    summary = snapshot.bundle.review_summaries.get_item(item_no)
    if summary is None:
        return []
    fractions: dict[str, float] = {}
    for name, count in summary.aspects.items():
        if name not in _EXCLUDED_ASPECTS and count.positive_fraction >= _MIN_POSITIVE_FRACTION:
            fractions[name] = _compute_smoothed_fraction(count)
    best_aspects = sorted(fractions, key=lambda name: -fractions[name])[:_MAX_REASONS]
    if not best_aspects:
        return _build_item_reasons(summary)
    return [_build_aspect_reason(name, summary.aspects[name]) for name in best_aspects]


def _build_aspect_reason(name: str, count: AspectCount) -> RecommendationReason:
    shown = _(ASPECT_NAMES[name]) if name in ASPECT_NAMES else name
    text = _("%(aspect)s praised in %(percent)d%% of %(count)d reviews") % {
        "aspect": shown,
        "percent": _compute_percent(count.n_positive, count.n_reviewers),
        "count": count.n_reviewers,
    }
    return RecommendationReason("well_reviewed", text[:1].upper() + text[1:], [shown])


def _build_item_reasons(summary: ItemReviewSummary) -> list[RecommendationReason]:
    if summary.n_positive < _MIN_POSITIVE_FRACTION * summary.n_reviewers:
        return []
    text = _("Praised in %(percent)d%% of %(count)d reviews") % {
        "percent": _compute_percent(summary.n_positive, summary.n_reviewers),
        "count": summary.n_reviewers,
    }
    return [RecommendationReason("well_reviewed", text, [])]


def _compute_smoothed_fraction(count: AspectCount) -> float:
    return (count.n_positive + _PRIOR_REVIEWS / 2) / (count.n_reviewers + _PRIOR_REVIEWS)


def _compute_percent(count: int, total: int) -> int:
    """Rounded down, so that a reason never overstates."""
    return 100 * count // total
