"""What reviews praise, in the reader's language: counts over at least five people, never a word of a review."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from recommender.language.opinions import AspectCount, ItemOpinion
from recommender.serving.ready import Ready
from recommender.serving.types import Reason

_NAMED = 2
_LEAST_SHARE = 0.6
# Praise of a drug's effect reads like advice.
_UNSAID = frozenset({"effect", "side effects", "dosage"})
_PRIOR = 4.0  # people who are thought to be of two minds: 5 of 5 says less than 40 of 44

NAMES = {
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


def reasons(ready: Ready, item_no: int) -> list[Reason]:
    """At most two, the surest praise first; none where too few people spoke or too few of them praised."""
    opinion = ready.bundle.opinions.get(item_no) if ready.bundle else None
    if opinion is None:
        return []
    may = [one for one in opinion.aspects.items() if one[0] not in _UNSAID and one[1].share >= _LEAST_SHARE]
    best = sorted(may, key=lambda one: -_sureness(one[1]))[:_NAMED]
    found = [_of_aspect(name, count) for name, count in best]
    return found or _of_item(opinion)


def _of_aspect(name: str, count: AspectCount) -> Reason:
    shown = _(NAMES[name]) if name in NAMES else name
    text = _("%(aspect)s praised in %(percent)d%% of %(count)d reviews") % {
        "aspect": shown,
        "percent": _percent(count.praised, count.said),
        "count": count.said,
    }
    return Reason("praised", text[:1].upper() + text[1:], [shown])


def _of_item(opinion: ItemOpinion) -> list[Reason]:
    if opinion.praised < _LEAST_SHARE * opinion.voices:
        return []
    text = _("Praised in %(percent)d%% of %(count)d reviews") % {
        "percent": _percent(opinion.praised, opinion.voices),
        "count": opinion.voices,
    }
    return [Reason("praised", text, [])]


def _sureness(count: AspectCount) -> float:
    return (count.praised + _PRIOR / 2) / (count.said + _PRIOR)


def _percent(part: int, whole: int) -> int:
    """Rounded down: praise is never made greater."""
    return 100 * part // whole
