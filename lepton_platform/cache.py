"""Django's cache on Valkey holds JSON: nobody who can write to the cache can run code here."""

from __future__ import annotations

import json
from typing import Any


class JsonCacheSerializer:
    """Whole numbers stay bare, because `incr` works on them in the server."""

    def dumps(self, value: Any) -> bytes | int:
        if type(value) is int:
            return value
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()

    def loads(self, data: bytes | int) -> Any:
        return data if isinstance(data, int) else json.loads(data)
