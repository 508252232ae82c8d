"""What one process holds of one tenant to answer requests: immutable, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from scipy import sparse

from recommender.algorithms.content.embedding_similarity import EmbeddingSimilarity
from recommender.algorithms.content.tfidf_content import TfidfContent
from recommender.algorithms.content.triple_similarity import TripleSimilarity
from recommender.algorithms.content.visual_similarity import VisualSimilarity
from recommender.registry.bundle import Bundle
from recommender.registry.types import VersionView
from recommender.serving.catalogue import index
from recommender.serving.catalogue.index import CatalogueIndex
from recommender.serving.rules.matching import CompiledRules
from recommender.serving.snapshot.new_item_vectors import (
    ContentModel,
    ItemSideData,
    NewItemVectors,
    update_new_item_vectors,
)
from recommender.types import Float16Array
from tenants.data.types import StoredItem


@dataclass(frozen=True, slots=True)
class TenantRules:
    """What the tenant stated, as of `version`: rules, and tokens by item number."""

    version: int = 0
    rules: CompiledRules = field(default_factory=CompiledRules)
    triple_tokens: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TenantSnapshot:
    """`newcomers` has vectors for the slots behind the model's, of each member that knows items by what they are.

    `told` is what was stated where the model has no member of it: it speaks before any training. `model_because` says
    why there is no model, or why it is not the newest one.
    """

    catalogue: CatalogueIndex
    version: VersionView | None = None
    bundle: Bundle | None = None
    new_item_vectors: NewItemVectors = field(default_factory=dict)
    tenant_rules: TenantRules = field(default_factory=TenantRules)
    untrained_triple_model: TripleSimilarity | None = None
    model_problem: str = ""

    @property
    def n_model_items(self) -> int:
        """How many of the first slots the model knows."""
        return self.bundle.ensemble.items if self.bundle else 0

    @property
    def content_models(self) -> dict[str, ContentModel]:
        """The members that know items by what they are, chosen or not."""
        members = self.bundle.ensemble.models if self.bundle else {}
        found: dict[str, ContentModel] = {
            n: m for n, m in members.items() if isinstance(m, TfidfContent | EmbeddingSimilarity)
        }
        return (
            found
            if self.untrained_triple_model is None
            else {**found, TripleSimilarity.name: self.untrained_triple_model}
        )

    @property
    def visual_model(self) -> VisualSimilarity | None:
        member = self.content_models.get(VisualSimilarity.name)
        return member if isinstance(member, VisualSimilarity) else None

    @property
    def nbytes(self) -> int:
        model = self.bundle.ensemble.memory_bytes if self.bundle else 0
        late = sum(v.data.nbytes + v.indices.nbytes + v.indptr.nbytes for v in self.new_item_vectors.values())
        return model + self.catalogue.nbytes + int(late)

    def apply_changes(
        self, changes: Sequence[StoredItem], image_embeddings: Mapping[int, Float16Array] | None = None
    ) -> TenantSnapshot:
        """The same model over the changed catalogue. A known item keeps the vectors it was trained with."""
        if not changes:
            return self
        changed = index.update_index(self.catalogue, changes)
        places = changed.slot_by_number[[change.item_no for change in changes]] - self.n_model_items
        late = [(int(place), change) for place, change in zip(places, changes, strict=True) if place >= 0]
        if not late:
            return replace(self, catalogue=changed)
        width, details = (
            changed.n_slots - self.n_model_items,
            ItemSideData(image_embeddings or {}, self.tenant_rules.triple_tokens),
        )
        vectors = {
            name: update_new_item_vectors(self.new_item_vectors, member, late, details, width)
            for name, member in self.content_models.items()
        }
        return replace(self, catalogue=changed, new_item_vectors=vectors)

    def update_rules(self, tenant_rules: TenantRules) -> TenantSnapshot:
        """The same with other rules and triples. A model that was trained with triples keeps those for its items."""
        numbers = self.catalogue.item_numbers.tolist()
        links = [tenant_rules.triple_tokens.get(number, ()) for number in numbers]
        trained = self.bundle.ensemble.models.get(TripleSimilarity.name) if self.bundle else None
        told = (
            TripleSimilarity.from_triples(links, links[: self.n_model_items])
            if trained is None and any(links)
            else None
        )
        member = trained if isinstance(trained, TripleSimilarity) else told
        others = {
            name: vectors for name, vectors in self.new_item_vectors.items() if name != TripleSimilarity.name
        }
        if member is not None:
            others[TripleSimilarity.name] = sparse.csr_matrix(
                member.transform_tokens(links[self.n_model_items :])
            )
        return replace(self, tenant_rules=tenant_rules, untrained_triple_model=told, new_item_vectors=others)


EMPTY_SNAPSHOT = TenantSnapshot(index.create_empty_index())


def create_snapshot(version: VersionView, bundle: Bundle) -> TenantSnapshot:
    """A model with the slots of its items reserved; the catalogue is still to be read."""
    return TenantSnapshot(index.create_empty_index(bundle.item_numbers), version, bundle)
