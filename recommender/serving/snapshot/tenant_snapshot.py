"""What a web process holds of one tenant to answer requests: immutable, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
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
    ChangedNewItem,
    ContentModel,
    NewItemVectors,
    collect_new_item_content,
    update_new_item_vectors,
)
from recommender.types import Float16Array
from tenants.data.types import StoredItem


@dataclass(
    frozen=True,
    slots=True,
)
class TenantRules:
    """The tenant's rules and triples as of knowledge version `version`; `triple_tokens` are by item number."""

    version: int = 0
    rules: CompiledRules = field(default_factory=CompiledRules)
    triple_tokens: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


@dataclass(
    frozen=True,
    slots=True,
)
class TenantSnapshot:
    """Catalogue, model and rules of one tenant at one moment.

    Attributes:
        catalogue: its first slots are the model's items, in the model's order.
        version: the version that the model belongs to; also set if its files were too large to load.
        bundle: the model, or None.
        new_item_vectors: for each content model, vectors of the slots after the model's items.
        tenant_rules: the tenant's rules and triples.
        untrained_triple_model: built from the tenant's triples if the active version has no triple model, so that triples
            influence the ranking before the first training.
        model_problem: why there is no model, or why it is not the newest; empty if all is well.
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
        """The number of items that the model was trained on; they occupy the first slots."""
        return self.bundle.ensemble.items if self.bundle else 0

    @property
    def content_models(self) -> dict[str, ContentModel]:
        """By name, the models that score items by their content, whatever their blend weight."""
        models: dict[str, ContentModel] = {}
        if self.bundle is not None:
            for name, model in self.bundle.ensemble.models.items():
                if isinstance(model, TfidfContent | EmbeddingSimilarity):
                    models[name] = model
        if self.untrained_triple_model is not None:
            models[TripleSimilarity.name] = self.untrained_triple_model
        return models

    @property
    def visual_model(self) -> VisualSimilarity | None:
        """The model of image embeddings, if the active version has one."""
        model = self.content_models.get(VisualSimilarity.name)
        return model if isinstance(model, VisualSimilarity) else None

    @property
    def nbytes(self) -> int:
        """Memory of model, catalogue and vectors, in bytes."""
        model_bytes = self.bundle.ensemble.memory_bytes if self.bundle else 0
        vector_bytes = 0
        for matrix in self.new_item_vectors.values():
            vector_bytes += int(matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes)
        return model_bytes + self.catalogue.nbytes + vector_bytes

    def apply_changes(
        self, changes: Sequence[StoredItem], image_embeddings: Mapping[int, Float16Array] | None = None
    ) -> TenantSnapshot:
        """The same model with a changed catalogue.

        Items of the model keep the vectors they were trained with; other items are encoded again.

        Args:
            changes: rows that were added or changed, each item at most once.
            image_embeddings: by item number, embeddings of changed items that are not in the model.
        """
        if not changes:
            return self
        catalogue = index.update_index(self.catalogue, changes)
        rows = catalogue.slot_by_number[[change.item_no for change in changes]] - self.n_model_items
        changed_items: list[ChangedNewItem] = []
        for row, change in zip(rows.tolist(), changes, strict=True):
            # A negative row is an item of the model.
            if row >= 0:
                changed_items.append(ChangedNewItem(row, change))
        if not changed_items:
            return replace(self, catalogue=catalogue)
        content = collect_new_item_content(
            changed_items, image_embeddings or {}, self.tenant_rules.triple_tokens
        )
        vectors = {
            name: update_new_item_vectors(
                self.new_item_vectors,
                model,
                changed_items,
                content,
                n_new_items=catalogue.n_slots - self.n_model_items,
            )
            for name, model in self.content_models.items()
        }
        return replace(
            self,
            catalogue=catalogue,
            new_item_vectors=vectors,
        )

    def update_rules(self, tenant_rules: TenantRules) -> TenantSnapshot:
        """The same snapshot with other rules and triples.

        A triple model of the active version keeps the triples it was trained with for the model's items; new items get the
        current ones.
        """
        numbers = self.catalogue.item_numbers.tolist()
        tokens = [tenant_rules.triple_tokens.get(number, ()) for number in numbers]
        model = self.bundle.ensemble.models.get(TripleSimilarity.name) if self.bundle else None
        untrained_model = None
        if model is None and any(tokens):
            # Document frequencies come from all items; vectors of the model are those of its own items.
            untrained_model = TripleSimilarity.from_triples(tokens, tokens[: self.n_model_items])
            model = untrained_model
        vectors = {
            name: matrix for name, matrix in self.new_item_vectors.items() if name != TripleSimilarity.name
        }
        if isinstance(model, TripleSimilarity):
            # Only the slots after the model's items: the model holds the vectors of its own.
            encoded = model.transform_tokens(tokens[self.n_model_items :])
            vectors[TripleSimilarity.name] = sparse.csr_matrix(encoded)
        return replace(
            self,
            tenant_rules=tenant_rules,
            untrained_triple_model=untrained_model,
            new_item_vectors=vectors,
        )

    def find_new_items(self, item_numbers: Sequence[int]) -> list[int]:
        """Which of the item numbers are not among the model's items, ascending."""
        numbers = np.asarray(item_numbers, dtype=np.int64)
        has_slot = self.catalogue.has_slot(numbers)
        is_model_item = np.zeros(numbers.size, dtype=bool)
        is_model_item[has_slot] = self.catalogue.slot_by_number[numbers[has_slot]] < self.n_model_items
        new_items: list[int] = np.unique(numbers[~is_model_item]).tolist()
        return new_items


EMPTY_SNAPSHOT = TenantSnapshot(index.create_empty_index())


def create_snapshot(version: VersionView, bundle: Bundle) -> TenantSnapshot:
    """A snapshot of a model whose catalogue has not been read: its items have slots, and none may be shown."""
    return TenantSnapshot(index.create_empty_index(bundle.item_numbers), version, bundle)
