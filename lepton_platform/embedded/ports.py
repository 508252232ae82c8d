"""Free TCP ports of the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Collection


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        # Without it, connections in TIME_WAIT of a server that just stopped would make its port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def find_free_port(preferred: int = 0, *, excluded: Collection[int] = ()) -> int:
    """Returns `preferred` if it is free and not excluded, else a port chosen by the kernel."""
    if preferred and preferred not in excluded and is_free(preferred):
        return preferred
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in excluded:
            return port
