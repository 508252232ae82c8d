"""Texts of the decisions about a model version, in the reader's language.

Rows store a code and parameters (`DecisionReason`); the sentence is built when it is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from recommender.evaluation.decisions.promotion_gate import DecisionReason

LANGUAGES = ("en", "zh-hans")
SENTENCES = {
    "few_cases": gettext_noop(
        "Only %(cases)s users have test events; %(min_cases)s are needed for a decision."
    ),
    "not_better": gettext_noop(
        "Not significantly better than popularity: nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "gain_too_small": gettext_noop(
        "Better than popularity by only %(gain)s; at least %(min_gain)s is required: "
        "nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "worse_than_live": gettext_noop(
        "Significantly worse than the active model: nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "below_live": gettext_noop(
        "More than %(max_loss)s below the active model: nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "slice_worse": gettext_noop(
        "Significantly worse than %(baseline_name)s for %(slice)s (%(cases)s users): "
        "nDCG@%(k)s %(candidate)s against %(baseline)s."
    ),
    "popularity_instead": gettext_noop("Popularity serves instead."),
    "overtaken": gettext_noop("Another version was promoted while this one trained."),
    "rolled_back": gettext_noop("Rolled back on request."),
    "clicks_dropped": gettext_noop(
        "Rolled back automatically: %(current)s of its %(recommendations)s recommendations were clicked, against "
        "%(previous)s with %(version)s in the same scenarios; the difference is significant."
    ),
    "conversions_dropped": gettext_noop(
        "Rolled back automatically: %(current)s of its %(recommendations)s recommendations led to a conversion, against "
        "%(previous)s with %(version)s in the same scenarios; the difference is significant."
    ),
    "dismissals_rose": gettext_noop(
        "Rolled back automatically: %(current)s of its %(recommendations)s recommendations were dismissed, against "
        "%(previous)s with %(version)s in the same scenarios; the difference is significant."
    ),
}  # fmt: skip
_SLICE_NAMES = {
    "popularity": gettext_noop("popularity"),
    "live": gettext_noop("the active model"),
    "new_profiles": gettext_noop("new profiles"),
    "new_items": gettext_noop("new items"),
    "tail_items": gettext_noop("rarely chosen items"),
    "language": gettext_noop("language"),
    "country": gettext_noop("country"),
    "region": gettext_noop("region"),
    "item_language": gettext_noop("items in"),
}
_SIGNAL_NAMES = {
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
# Parameters that are shown as percentages, with one and with two decimals.
_FRACTIONS = {"gain", "min_gain", "max_loss"}
_RATES = {"current", "previous"}


def parse_reasons(rows: Iterable[Mapping[str, Any]]) -> tuple[DecisionReason, ...]:
    """Reasons from the JSON of a version or job: objects with "code" and "parameters"."""
    reasons: list[DecisionReason] = []
    for row in rows:
        reasons.append(DecisionReason(str(row["code"]), dict(row.get("parameters", {}))))
    return tuple(reasons)


def translate_reasons(reasons: Sequence[DecisionReason]) -> str:
    """One sentence for each reason, in the active language; an unknown code is shown as it is."""
    return " ".join(_translate_reason(reason) for reason in reasons)


def translate_reasons_into(language: str, reasons: Sequence[DecisionReason]) -> str:
    """`translate_reasons` in one of LANGUAGES."""
    with translation.override(language):
        return translate_reasons(reasons)


def translate_reasons_to_english(reasons: Sequence[DecisionReason]) -> str:
    """`translate_reasons` in English, for rows, the audit log and the log."""
    return translate_reasons_into("en", reasons)


def translate_slice_name(name: str) -> str:
    """A slice's name for display, such as "new profiles" or "language zh"; slices are named "kind" or "kind=value"."""
    kind, _equals, value = name.partition("=")
    label = _(_SLICE_NAMES.get(kind, kind))
    return f"{label} {value}" if value else label


def translate_signal_name(name: str) -> str:
    """The name of an online signal, of a drift signal or of a drift level, for display."""
    return _(_SIGNAL_NAMES.get(name, name))


def _translate_reason(reason: DecisionReason) -> str:
    if reason.code not in SENTENCES:
        return reason.code
    parameters = {name: _format_parameter(name, value) for name, value in reason.parameters.items()}
    try:
        return _(SENTENCES[reason.code]) % parameters
    except KeyError:
        # A stored reason may lack a parameter that the sentence of this release has.
        return reason.code


def _format_parameter(name: str, value: object) -> str:
    if name in ("baseline_name", "slice"):
        return translate_slice_name(str(value))
    if not isinstance(value, float):
        return str(value)
    if name in _FRACTIONS:
        return f"{value:.1%}"
    if name in _RATES:
        return f"{value:.2%}"
    return f"{value:.4f}"
