"""What was decided about a model, in plain words of either language. Rows keep the code and the figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from recommender.evaluation.verdicts import Reason

LANGUAGES = ("en", "zh-hans")
SENTENCES = {
    "few_cases": gettext_noop("Only %(cases)s profiles can be asked about; %(needed)s are needed to judge."),
    "not_better": gettext_noop("Not better than popularity beyond chance: nDCG@%(k)s %(ours)s against %(theirs)s."),
    "gain_too_small": gettext_noop(
        "Better than popularity by %(gain)s only; at least %(needed)s is asked for: "
        "nDCG@%(k)s %(ours)s against %(theirs)s."
    ),
    "worse_than_live": gettext_noop(
        "Worse than the model in service beyond chance: nDCG@%(k)s %(ours)s against %(theirs)s."
    ),
    "below_live": gettext_noop(
        "More than %(allowed)s below the model in service: nDCG@%(k)s %(ours)s against %(theirs)s."
    ),
    "slice_worse": gettext_noop(
        "Worse than %(than)s beyond chance for %(slice)s (%(cases)s profiles): "
        "nDCG@%(k)s %(ours)s against %(theirs)s."
    ),
    "popularity_instead": gettext_noop("Popularity serves instead."),
    "overtaken": gettext_noop("Another version was promoted while this one trained."),
    "taken_back": gettext_noop("Taken back on request."),
    "clicks_dropped": gettext_noop(
        "Taken back by itself: %(now)s of its %(answers)s answers were clicked, against %(before)s with %(version)s "
        "in the same places; that is more than chance."
    ),
    "conversions_dropped": gettext_noop(
        "Taken back by itself: %(now)s of its %(answers)s answers led to a purchase or the like, against %(before)s "
        "with %(version)s in the same places; that is more than chance."
    ),
    "dismissals_rose": gettext_noop(
        "Taken back by itself: %(now)s of its %(answers)s answers were dismissed, against %(before)s with %(version)s "
        "in the same places; that is more than chance."
    ),
}  # fmt: skip
_NAMES = {
    "popularity": gettext_noop("popularity"),
    "live": gettext_noop("the model in service"),
    "new_profiles": gettext_noop("new profiles"),
    "new_items": gettext_noop("new items"),
    "tail_items": gettext_noop("rarely chosen items"),
    "language": gettext_noop("language"),
    "country": gettext_noop("country"),
    "region": gettext_noop("region"),
    "item_language": gettext_noop("items in"),
}
_OBSERVED = {
    "clicks": gettext_noop("Clicked"),
    "conversions": gettext_noop("Led to a purchase or the like"),
    "dismissals": gettext_noop("Dismissed"),
    "event_kinds": gettext_noop("Mix of event kinds"),
    "categories": gettext_noop("Categories chosen"),
    "hours": gettext_noop("Hours of the day"),
    "activity": gettext_noop("Events of a profile in a day"),
    "scores": gettext_noop("Scores of the model"),
    "coverage": gettext_noop("Items shown"),
    "steady": gettext_noop("Steady"),
    "moved": gettext_noop("Worth a look"),
    "drifted": gettext_noop("Drifted"),
    "unknown": gettext_noop("Too little data"),
}
_SHARES = {"gain", "needed", "allowed"}
_RATES = {"now", "before"}


def of_json(rows: Iterable[Mapping[str, Any]]) -> tuple[Reason, ...]:
    return tuple(Reason(str(row["code"]), dict(row.get("parameters", {}))) for row in rows)


def words(reasons: Sequence[Reason]) -> str:
    """All of them in the language of the reader; a code that this version does not know stands as it is."""
    return " ".join(_sentence(reason) for reason in reasons)


def words_in(language: str, reasons: Sequence[Reason]) -> str:
    with translation.override(language):
        return words(reasons)


def english(reasons: Sequence[Reason]) -> str:
    return words_in("en", reasons)


def slice_words(name: str) -> str:
    """A slice's name for people: "new profiles", "language zh"."""
    kind, _equals, value = name.partition("=")
    said = _(_NAMES[kind]) if kind in _NAMES else kind
    return f"{said} {value}" if value else said


def observed_words(name: str) -> str:
    """A signal of the watch, a measure of drift or its level, for people."""
    return _(_OBSERVED[name]) if name in _OBSERVED else name


def _sentence(reason: Reason) -> str:
    if reason.code not in SENTENCES:
        return reason.code
    blanks = {name: _filled(reason.code, name, value) for name, value in reason.parameters.items()}
    try:
        return _(SENTENCES[reason.code]) % blanks
    except KeyError:
        return reason.code


def _filled(code: str, name: str, value: object) -> str:
    if name in ("than", "slice"):
        return slice_words(str(value))
    if not isinstance(value, float):
        return str(value)
    if name in _SHARES and code != "few_cases":
        return f"{value:.1%}"
    return f"{value:.2%}" if name in _RATES else f"{value:.4f}"
