"""The sealed_rows values of a tenant's rows: how a superuser replaces them and how the product reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from recommender.features.images import ENCODER_NAME
from tenants.data.queries import (
    catalog,
    image_embeddings,
    images,
    knowledge,
    profiles,
    receipts,
    reviews,
    timeline,
)
from tenants.regions import TenantRef
from tenants.scope import Scope

RowKey = tuple[Any, ...]
KEY_COLUMNS: dict[str, tuple[str, ...]] = {
    "data_item": ("item_no",),
    "data_itemimage": ("item_no",),
    "data_itemimageembedding": ("item_no",),
    "data_profile": ("profile_key",),
    "data_receipt": ("id",),
    "data_review": ("review_key",),
    "data_seenitems": ("profile_key",),
    "data_statement": ("kind", "key"),
    "data_timeline": ("profile_key", "seq"),
}
READERS: dict[str, Callable[[Scope, RowKey], object]] = {
    "data_item": lambda s, key: catalog.load_items_by_number(s, [key[0]]),
    "data_itemimage": lambda s, key: images.get_image(s, _get_item_id(s, key[0])),
    "data_itemimageembedding": lambda s, key: image_embeddings.load_embeddings(s, ENCODER_NAME, [key[0]]),
    "data_profile": lambda s, key: profiles.load_profiles(s, [key[0]]),
    "data_receipt": lambda s, key: receipts.get_receipt(s, key[0]),
    "data_review": lambda s, _key: reviews.list_item_reviews(s, "mug"),
    "data_seenitems": lambda s, key: timeline.load_history(s, key[0]),
    "data_statement": lambda s, key: _load_statements(s, key[0]),
    "data_timeline": lambda s, key: timeline.load_history(s, key[0]),
}


def _get_item_id(s: Scope, number: int) -> str:
    return catalog.load_items_by_number(s, [number])[number].item.id


def _load_statements(s: Scope, kind: str) -> object:
    return knowledge.load_rules(s) if kind == "rule" else knowledge.load_triples(s)


@dataclass(frozen=True, slots=True)
class SealedRow:
    tenant: TenantRef
    table: str
    key: RowKey
    body: bytes

    def read(self, s: Scope) -> object:
        """Reads and decrypts the row as the product does."""
        return READERS[self.table](s, self.key)


def load_sealed_rows(connection: Any, tenant: TenantRef) -> list[SealedRow]:
    sealed_rows: list[SealedRow] = []
    for table, columns in KEY_COLUMNS.items():
        rows = connection.execute(
            f"SELECT {', '.join(columns)}, body FROM {table} WHERE tenant_id = %s", (tenant.id,)
        )
        sealed_rows += [SealedRow(tenant, table, tuple(row[:-1]), bytes(row[-1])) for row in rows.fetchall()]
    return sealed_rows


def overwrite_body(connection: Any, row: SealedRow, body: bytes) -> None:
    key_condition = sql.SQL(" AND ").join(
        sql.SQL("{} = %s").format(sql.Identifier(column)) for column in KEY_COLUMNS[row.table]
    )
    statement = sql.SQL("UPDATE {} SET body = %s WHERE tenant_id = %s AND {}").format(
        sql.Identifier(row.table), key_condition
    )
    assert connection.execute(statement, (body, row.tenant.id, *row.key)).rowcount == 1
