"""The consent rule: whose behaviour may be recorded, learned from and used for personalisation.

With the legal basis "opt_in" a profile is used only after it granted its consent; with the basis "notice" it is
used unless it refused. Events without a profile carry no personal data, so the rule does not apply to them.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from tenants.data.models import Consent
from tenants.data.types import PrivacySettings, ProfileInput
from tenants.scope import Scope

# The consent is a literal in the statement: PostgreSQL does not use the partial index on refused profiles when the
# value is a parameter.
_GRANTED_KEYS = "SELECT profile_key FROM data_profile WHERE tenant_id = %s AND consent = 1"
_REFUSED_KEYS = "SELECT profile_key FROM data_profile WHERE tenant_id = %s AND consent = 2"


@dataclass(frozen=True, slots=True)
class ConsentFilter:
    """Selects the profiles that may be used.

    `listed_keys` are the keys that granted their consent if `opt_in` is set, else the keys that refused.
    """

    opt_in: bool
    listed_keys: Set[bytes]

    def allows(self, profile_key: bytes | None) -> bool:
        """Returns whether the behaviour of this profile may be used; None is an event or review without a profile."""
        if profile_key is None:
            return True
        return (profile_key in self.listed_keys) is self.opt_in


def allows_profiling(privacy: PrivacySettings, consent: int) -> bool:
    """Applies the rule to one profile's stored consent (`Consent`; 0 also if the profile does not exist)."""
    if privacy.basis == "opt_in":
        return consent == Consent.GRANTED
    return consent != Consent.REFUSED


def parse_consent(profile: ProfileInput) -> Consent:
    """Returns the consent that a profile states; UNKNOWN where it states none."""
    if profile.consent is None:
        return Consent.UNKNOWN
    return Consent[profile.consent.upper()]


def load_consent_filter(
    s: Scope, privacy: PrivacySettings, *, profile_keys: Sequence[bytes] | None = None
) -> ConsentFilter:
    """Loads the filter for all profiles of the tenant, or only for `profile_keys`."""
    opt_in = privacy.basis == "opt_in"
    statement = _GRANTED_KEYS if opt_in else _REFUSED_KEYS
    parameters: tuple[object, ...] = (s.tenant_id,)
    if profile_keys is not None:
        statement += " AND profile_key = ANY(%b)"
        parameters = (s.tenant_id, list(profile_keys))
    rows = s.cursor(binary=True).execute(statement, parameters)
    return ConsentFilter(opt_in, {bytes(row[0]) for row in rows})
