"""Inputs and results of the data plane, as msgspec structs that API, importers and pages share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

# msgspec enforces these limits when it decodes a request, not when Python code constructs a struct.
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Name = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=40,
        pattern=r"^[A-Za-z0-9_.\-]+$",
    ),
]
Scenario = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=60,
        pattern=r"^[A-Za-z0-9_.\-]+$",
    ),
]
ShortText = Annotated[str, msgspec.Meta(max_length=500)]
LongText = Annotated[str, msgspec.Meta(max_length=20_000)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Url = Annotated[str, msgspec.Meta(max_length=2_000, pattern=r"^https?://")]
Language = Annotated[str, msgspec.Meta(min_length=2, max_length=12)]
Currency = Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")]
Price = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
AwareDatetime = Annotated[datetime, msgspec.Meta(tz=True)]
# The range of PostgreSQL's bigint; Python integers are unbounded.
Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Attribute = str | Int64 | float | bool | list[str]
Attributes = Annotated[dict[Label, Attribute], msgspec.Meta(max_length=100)]
Scalar = str | Int64 | float | bool
# Field -> condition -> operand, e.g. {"price": {"lte": 20}}.
FilterConditions = Annotated[dict[Label, dict[Label, Scalar | list[Scalar]]], msgspec.Meta(max_length=20)]
Labels = Annotated[list[Label], msgspec.Meta(max_length=50)]


class ItemInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A catalogue item as the client sends it. An upsert replaces the whole item."""

    id: Id
    title: ShortText = ""
    description: LongText = ""
    categories: Labels = []
    tags: Labels = []
    brand: Label | None = None
    price: Price | None = None
    currency: Currency | None = None
    image_url: Url | None = None
    language: Language | None = None
    available: bool = True
    attributes: Attributes = {}


class EventInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An interaction of a profile or an anonymous session with an item. `at` defaults to the time of receipt."""

    item_id: Id
    kind: Name
    profile_id: Id | None = None
    session_id: Id | None = None
    at: AwareDatetime | None = None
    value: float | None = None
    price: Price | None = None
    quantity: Annotated[float, msgspec.Meta(ge=0, le=1e9)] | None = None
    id: Id | None = None
    recommendation_id: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    scenario: Scenario | None = None


class ProfileInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A profile (end user) as the client sends it. Without `consent` an upsert keeps the stored consent."""

    id: Id
    attributes: Attributes = {}
    language: Language | None = None
    consent: Literal["granted", "refused"] | None = None


class ReviewInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A review. With `id` it replaces the stored review; without, a review with equal item, profile and text."""

    item_id: Id
    profile_id: Id | None = None
    id: Id | None = None
    rating: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    title: ShortText = ""
    text: LongText = ""
    language: Language | None = None
    at: AwareDatetime | None = None


class RuleInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A business rule: items that match `items` are boosted for profiles that match `profile`, or demoted if `weight` < 0.

    The conditions are those of a recommendation's filter, and all of them must match. An empty `profile` matches everybody.
    """

    id: Id
    items: FilterConditions
    profile: FilterConditions = {}
    weight: Annotated[float, msgspec.Meta(ge=-10, le=10)] = 1.0


class TripleInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A knowledge graph triple. `head` is an item id; `tail` an item id or the name of an entity that items share."""

    head: Id
    relation: Name
    tail: Id


class PrivacySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tenant's settings for its customers' data; the defaults depend on the vertical (presets.py)."""

    basis: Literal["notice", "opt_in"]
    personalisation: Literal["on", "off"]
    event_retention_days: Annotated[int, msgspec.Meta(ge=1, le=3650)]
    denied_attributes: Annotated[list[Label], msgspec.Meta(max_length=200)]
    report_min_count: Annotated[int, msgspec.Meta(ge=1, le=1000)]


class RowError(msgspec.Struct, frozen=True):
    """The reason why a row was rejected; `row` counts from 0 in the caller's batch."""

    row: int
    pointer: str
    code: str
    detail: str


class UpsertResult(msgspec.Struct):
    """Counts of written rows, and rejected rows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: list[RowError] = msgspec.field(default_factory=list)


class RulesResult(msgspec.Struct):
    """The result of replacing the rules: the number of `accepted` rules, which are now all rules of the tenant."""

    accepted: int = 0
    rejected: list[RowError] = msgspec.field(default_factory=list)


class EventReceipt(msgspec.Struct):
    """The result of an ingest call. `accepted` events are durable when the scope has ended without an error."""

    accepted: int = 0
    duplicates: int = 0
    batch_repeated: bool = False
    rejected: list[RowError] = msgspec.field(default_factory=list)


class ItemView(msgspec.Struct, frozen=True):
    """An item as API and pages show it."""

    item: ItemInput
    live: bool
    version: int
    created_at: datetime
    updated_at: datetime
    has_image: bool = False


class StoredItem(msgspec.Struct, frozen=True):
    """An item as serving and training read it: with its number and its catalogue version."""

    item_no: int
    version: int
    live: bool
    item: ItemInput


class ProfileView(msgspec.Struct, frozen=True):
    """A profile and its number of stored events."""

    profile: ProfileInput
    created_at: datetime
    updated_at: datetime
    events: int


class ReviewView(msgspec.Struct, frozen=True):
    """A review and its time."""

    review: ReviewInput
    at: datetime


class JobView(msgspec.Struct, frozen=True):
    """A background job."""

    id: UUID
    kind: str
    state: str
    phase: str
    percent: int
    attempt: int
    reason: str
    parameters: dict[str, str | int | float | bool | None]
    outcome: dict[str, object]
    cancel_requested: bool
    requested_by: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class EventKind(msgspec.Struct, frozen=True):
    """Number and training weight of an event kind. Weight 0 is not an interaction; a negative weight is a dislike."""

    number: int
    weight: float


class SpaceState(msgspec.Struct, frozen=True):
    """The tenant's settings and counters. `tombstones` is the number of erasures, 0 if there was none."""

    vertical: str
    privacy: PrivacySettings
    event_kinds: dict[str, EventKind]
    catalogue_version: int
    tombstones: int
    last_event_at: datetime | None
