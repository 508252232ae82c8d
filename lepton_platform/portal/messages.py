"""The platform's sentences in the reader's language. The inner layers speak English; what stands here is said here."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from tenants.errors import DomainError, FieldError, Invalid

_MESSAGES_BY_CODE = {
    "repeated_id": gettext_noop("This id stands earlier in the same file; only the first was taken."),
    "invalid_network": gettext_noop("This is not a network like 192.0.2.0/24."),
    "in_the_past": gettext_noop("This date is in the past."),
    "invalid_email": gettext_noop("This is not an e-mail address."),
    "quota_exceeded": gettext_noop("The plan's limit is reached."),
    "too_large": gettext_noop("The file is larger than what is accepted."),
    "exceeds_vertical_limit": gettext_noop("Longer than this industry's rules allow."),
    "weaker_than_vertical": gettext_noop(
        "Looser than this industry's rules; settings can only be tightened."
    ),
}
_TRANSLATED_SENTENCES = (
    gettext_noop("A tenant keeps at least one owner."),
    gettext_noop("This person is a member already."),
    gettext_noop("Only a key in use can be rotated."),
    gettext_noop("Another version became active in the meantime."),
    gettext_noop("Another version was promoted while this one trained."),
    gettext_noop("No earlier version is kept."),
    gettext_noop("Cancelled on request."),
    gettext_noop("Cancelled while its worker was lost."),
    gettext_noop("Its worker was lost 3 times; the job is parked. Start it again by hand."),
    gettext_noop("The catalogue is empty: send items first."),
    gettext_noop("The catalogue is empty."),
    gettext_noop("The catalogue has no available items."),
    gettext_noop("No more available items match the filter and were not chosen or excluded before."),
    gettext_noop("All other available items were chosen, disliked or excluded before."),
    gettext_noop("No model has been trained yet."),
    gettext_noop("The model has no learned behaviour for this history yet."),
    gettext_noop("The user has no history."),
    gettext_noop("No model has learned from this history yet; the tenant's own rules and triples were used."),
    gettext_noop("No trained model is better than popularity for this tenant."),
    gettext_noop("Personalisation is switched off for this tenant."),
    gettext_noop("This profile has not consented to personal recommendations."),
    gettext_noop("No algorithm can learn from this data: there are no events and no texts."),
    gettext_noop("The active model is larger than this process may hold (LEPTON_MODEL_CACHE_MIB)."),
)
_SKIP_REASONS = {
    "without consent": gettext_noop("without consent"),
    "kind without weight": gettext_noop("only shown"),
    "dislike": gettext_noop("dislikes"),
    "item not live": gettext_noop("of retired items"),
    "immediate repetition": gettext_noop("immediate repetitions"),
    "repetition in window": gettext_noop("repetitions within seconds"),
    "impossible time": gettext_noop("at an impossible time"),
    "unusable weight": gettext_noop("without a usable weight"),
    "bot": gettext_noop("of bots"),
    "burst": gettext_noop("faster than any person"),
    "short history": gettext_noop("of too short histories"),
    "review without consent": gettext_noop("left out: without consent"),
    "review of a retired item": gettext_noop("left out: of retired items"),
    "review in another language": gettext_noop("left out: in another language"),
    "review without text": gettext_noop("left out: without text"),
}
_EXCLUSION_REASONS = {
    "no_gain": gettext_noop("Not served: the blend is as good without it."),
    "too_slow": gettext_noop("Not served: it adds less than its time is worth."),
}
_NOT_BETTER_PATTERN = re.compile(
    r"Not better than (popularity|the model in service) beyond chance: \S+ ([\d.]+) against ([\d.]+)\."
)
_TOO_FEW_PATTERN = re.compile(r"Only (\d+) profiles can be asked about; (\d+) are needed to judge\.")
_FALLBACK_SENTENCE = "Popularity serves instead."


def translate_error(error: DomainError) -> str:
    """One sentence for the person who asked."""
    if isinstance(error, Invalid) and error.errors:
        return " ".join(translate_field_error(one) for one in error.errors)
    return (
        _(_MESSAGES_BY_CODE[error.code])
        if error.code in _MESSAGES_BY_CODE
        else translate_sentence(error.detail)
    )


def translate_field_error(error: FieldError) -> str:
    """The reason at one field; known refusals in the reader's language, others as the domain says them."""
    return (
        _(_MESSAGES_BY_CODE[error.code])
        if error.code in _MESSAGES_BY_CODE
        else translate_sentence(error.detail)
    )


def translate_sentence(sentence: str) -> str:
    """A sentence of an inner layer, translated where it is listed above."""
    return _(sentence) if sentence else ""


def translate_skip_reason(reason: str) -> str:
    """Why events were not learned from."""
    return _(_SKIP_REASONS[reason]) if reason in _SKIP_REASONS else reason


def translate_exclusion(reason: str) -> str:
    """Why a member that learned has no part in the answers."""
    return _(_EXCLUSION_REASONS[reason]) if reason in _EXCLUSION_REASONS else ""


def translate_decision(reason: str) -> str:
    """Why the quality gate said no, with its figures."""
    parts = []
    if worse := _NOT_BETTER_PATTERN.search(reason):
        than = _("popularity") if worse[1] == "popularity" else _("the model in service")
        parts.append(
            _("Not better than %(than)s beyond chance: nDCG@10 %(ours)s against %(theirs)s.")
            % {"than": than, "ours": worse[2], "theirs": worse[3]}
        )
    if few := _TOO_FEW_PATTERN.search(reason):
        parts.append(
            _("Only %(n)s profiles can be asked about; %(needed)s are needed to judge.")
            % {"n": few[1], "needed": few[2]}
        )
    if not parts:
        return translate_sentence(reason)
    return " ".join([*parts, _("Popularity serves instead.")] if _FALLBACK_SENTENCE in reason else parts)
