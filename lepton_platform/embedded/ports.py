from __future__ import annotations

import socket
from collections.abc import Collection


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def find_free_port(preferred: int = 0, *, excluded: Collection[int] = ()) -> int:
    """`preferred` when nobody listens there, else one that the kernel picks."""
    if preferred and preferred not in excluded and is_free(preferred):
        return preferred
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in excluded:
            return port
