"""What is known of the items beside their texts: looks, what is stated of them, and what reviews say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings

from recommender import knowledge, looks, voices
from recommender.dataset import Dataset
from recommender.evaluation.profiles import Profile
from recommender.language.opinions import Opinions
from recommender.language.readers import review_reader
from recommender.language.reading import ReviewReader
from recommender.sources import Source
from recommender.training.looking import look_at_images
from recommender.training.progress import Watch
from recommender.voices import Heard
from tenants.regions import TenantRef
from tenants.scope import Actor

# Reading 1,000 reviews takes about three seconds of one core.
MOST_REVIEWS: Mapping[Profile, int] = {"fast": 5_000, "full": voices.MOST_REVIEWS}


@dataclass(frozen=True)
class Described:
    """`source` has looks and links; opinions depend on the moment until which reviews were heard."""

    source: Source
    heard: Heard

    @cached_property
    def opinions(self) -> Opinions:
        return self.heard.opinions()

    @cached_property
    def everything(self) -> Dataset:
        return self._with_opinions(self.source.dataset, self.opinions)

    def past(self, train: Dataset) -> Dataset:
        """A part of the events, with what reviews had said until the last of them."""
        until = int(train.at.max()) if train.timed and train.events else None
        return self._with_opinions(train, self.heard.opinions(until=until))

    def _with_opinions(self, dataset: Dataset, opinions: Opinions) -> Dataset:
        return replace(dataset, opinions=self.heard.features(opinions, self.source.item_no))

    def metrics(self) -> dict[str, Any]:
        return {
            "stored": self.heard.stored,
            "read": len(self.heard.voices),
            "left_out": self.heard.left_out,
            "items": len(self.opinions),
            "aspects": len(self.opinions.names),
        }


def describe(tenant: TenantRef, source: Source, *, profile: Profile, actor: Actor, watch: Watch) -> Described:
    """Only new images have to be looked at; reviews are read anew."""
    watch.enter("looking at images", low=10, high=14)
    look_at_images(tenant, actor=actor, report=lambda done: watch.report("", done))
    look = looks.of_items(tenant, source.item_no, actor=actor)
    links = knowledge.of_items(tenant, source.item_no, actor=actor)
    source = replace(source, dataset=replace(source.dataset, look=look, links=links))
    watch.enter("reading reviews", low=14, high=20)
    texts = _texts(source)
    heard = voices.load(
        tenant,
        texts,
        reader=_reader,
        actor=actor,
        report=lambda done: watch.report("", done),
        most=MOST_REVIEWS[profile],
    )
    return Described(source, heard)


def _texts(source: Source) -> dict[int, str]:
    """By the number of each live item."""
    content = source.dataset.content
    texts = content.texts if content is not None else ("",) * source.item_no.size
    return dict(zip(source.item_no.tolist(), texts, strict=True))


def _reader() -> ReviewReader:
    return review_reader(Path(folder) if (folder := settings.LEPTON_LANGUAGE_HEADS) else None)
