"""Work that repeats in threads of its own while a test does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connections


class BackgroundTask:
    """Repeats `work` in a thread until the block ends. The block raises its error."""

    def __init__(self, work: Callable[[int], object]) -> None:
        self._work, self._stopped, self._error = work, threading.Event(), None
        self.rounds = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> BackgroundTask:
        self._thread.start()
        return self

    def __exit__(self, *_args: object) -> None:
        self._stopped.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._work(self.rounds)
                self.rounds += 1
        except Exception as error:
            self._error = error
        finally:
            connections.close_all()
