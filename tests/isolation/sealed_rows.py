"""Every sealed value of a tenant's rows, how to exchange it behind the policies, and how the product reads it."""

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

Row = tuple[Any, ...]
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
READ: dict[str, Callable[[Scope, Row], object]] = {
    "data_item": lambda s, key: catalog.load_items_by_number(s, [key[0]]),
    "data_itemimage": lambda s, key: images.get_image(s, _item_id(s, key[0])),
    "data_itemimageembedding": lambda s, key: image_embeddings.load_embeddings(s, ENCODER_NAME, [key[0]]),
    "data_profile": lambda s, key: profiles.load_profiles(s, [key[0]]),
    "data_receipt": lambda s, key: receipts.get_receipt(s, key[0]),
    "data_review": lambda s, _key: reviews.list_item_reviews(s, "mug"),
    "data_seenitems": lambda s, key: timeline.load_history(s, key[0]),
    "data_statement": lambda s, key: (knowledge.load_rules if key[0] == "rule" else knowledge.load_triples)(
        s
    ),
    "data_timeline": lambda s, key: timeline.load_history(s, key[0]),
}


def _item_id(s: Scope, number: int) -> str:
    return catalog.load_items_by_number(s, [number])[number].item.id


@dataclass(frozen=True, slots=True)
class Sealed:
    tenant: TenantRef
    table: str
    key: Row
    body: bytes

    def read(self, s: Scope) -> object:
        """As the product does."""
        return READ[self.table](s, self.key)


def sealed_rows(connection: Any, tenant: TenantRef) -> list[Sealed]:
    sealed: list[Sealed] = []
    for table, columns in KEY_COLUMNS.items():
        rows = connection.execute(
            f"SELECT {', '.join(columns)}, body FROM {table} WHERE tenant_id = %s", (tenant.id,)
        )
        sealed += [Sealed(tenant, table, tuple(row[:-1]), bytes(row[-1])) for row in rows.fetchall()]
    return sealed


def put(connection: Any, row: Sealed, body: bytes) -> None:
    where = sql.SQL(" AND ").join(
        sql.SQL("{} = %s").format(sql.Identifier(column)) for column in KEY_COLUMNS[row.table]
    )
    statement = sql.SQL("UPDATE {} SET body = %s WHERE tenant_id = %s AND {}").format(
        sql.Identifier(row.table), where
    )
    assert connection.execute(statement, (body, row.tenant.id, *row.key)).rowcount == 1
