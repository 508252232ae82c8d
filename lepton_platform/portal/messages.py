"""Translations of sentences that the inner layers write in English: errors, reasons and job messages.

The inner layers return error codes and English sentences. `gettext_noop` marks the sentences for the catalogue.
"""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from tenants.errors import DomainError, FieldError, Invalid

_MESSAGES_BY_CODE = {
    "repeated_id": gettext_noop("The file has an earlier row with this id. Only the first one was accepted."),
    "invalid_network": gettext_noop("This is not a network like 192.0.2.0/24."),
    "in_the_past": gettext_noop("This date is in the past."),
    "invalid_email": gettext_noop("This is not an e-mail address."),
    "quota_exceeded": gettext_noop("The plan's limit is reached."),
    "too_large": gettext_noop("The file is larger than the limit."),
    "exceeds_vertical_limit": gettext_noop("Longer than this industry's rules allow."),
    "weaker_than_vertical": gettext_noop(
        "Less strict than this industry's rules. Settings can only be made stricter."
    ),
}
# The catalogue needs these sentences in a call; they are translated by `translate_sentence`.
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
    gettext_noop("No trained model could be used; the tenant's rules and triples were used."),
    gettext_noop("No trained model is better than popularity for this tenant."),
    gettext_noop("Personalisation is switched off for this tenant."),
    gettext_noop("This profile has not consented to personal recommendations."),
    gettext_noop("No algorithm can learn from this data: there are no events and no texts."),
    gettext_noop("The active model is larger than this process may hold (LEPTON_MODEL_CACHE_MIB)."),
)
# The reasons are counted in a version's metrics; the texts continue a number, e.g. "120 without consent".
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
    "review without consent": gettext_noop("skipped: without consent"),
    "review of a retired item": gettext_noop("skipped: of retired items"),
    "review in another language": gettext_noop("skipped: in another language"),
    "review without text": gettext_noop("skipped: without text"),
}
_EXCLUSION_REASONS = {
    "no_gain": gettext_noop("Excluded: the blend is as good without it."),
    "too_slow": gettext_noop("Excluded: its gain is too small for its time per request."),
}


def translate_error(error: DomainError) -> str:
    """Returns the message of a refused change in the reader's language, as one text."""
    if isinstance(error, Invalid) and error.errors:
        return " ".join(translate_field_error(field_error) for field_error in error.errors)
    return _translate_code(error.code, error.detail)


def translate_field_error(error: FieldError) -> str:
    """Returns the message of one invalid field in the reader's language."""
    return _translate_code(error.code, error.detail)


def translate_sentence(sentence: str) -> str:
    """Translates a sentence of an inner layer. One that is not listed above is returned unchanged."""
    # gettext("") returns the header of the catalogue.
    return _(sentence) if sentence else ""


def translate_skip_reason(reason: str) -> str:
    """Returns why events or reviews were skipped in training; an unknown reason is returned unchanged."""
    if reason in _SKIP_REASONS:
        return _(_SKIP_REASONS[reason])
    return reason


def translate_exclusion(reason: str) -> str:
    """Returns why a trained model is not part of the ensemble; an unknown reason gives an empty text."""
    if reason in _EXCLUSION_REASONS:
        return _(_EXCLUSION_REASONS[reason])
    return ""


def _translate_code(code: str, detail: str) -> str:
    if code in _MESSAGES_BY_CODE:
        return _(_MESSAGES_BY_CODE[code])
    return translate_sentence(detail)
