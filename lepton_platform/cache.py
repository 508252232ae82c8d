"""Serializer of Django's cache in Valkey. JSON, because unpickling would run code of whoever can write to the cache."""

from __future__ import annotations

import json
from typing import Any


class JsonCacheSerializer:
    """Stores values as JSON. Integers are stored bare, because Valkey's INCR works on them."""

    def dumps(self, value: Any) -> bytes | int:
        """Returns what Valkey stores for `value`."""
        # `type() is` instead of isinstance: True must be stored as JSON, or it would come back as 1.
        if type(value) is int:
            return value
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    def loads(self, data: bytes | int) -> Any:
        """Inverse of `dumps`; the client has already parsed bare integers."""
        return data if isinstance(data, int) else json.loads(data)
