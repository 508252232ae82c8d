"""Logs calls of pickle and marshal. On PYTHONPATH it is imported by every Python process that a test starts.

Only the standard library, and little of it: it runs before everything else. `UNPICKLING_LOG` is a folder.
"""

import os
import sys

_WATCHED = frozenset({"pickle.find_class", "marshal.loads", "marshal.load"})
# The import system reads compiled modules this way.
_IMPORTING = ("<frozen importlib._bootstrap_external>", "<frozen zipimport>")
_seen = set()


def _hook(event, arguments):
    if event not in _WATCHED:
        return
    frame = sys._getframe(1)
    if frame.f_code.co_filename in _IMPORTING:
        return
    what = ".".join(map(str, arguments)) if event == "pickle.find_class" else event
    line = f"{_caller(frame)}\t{what}\n"
    if line not in _seen:
        _seen.add(line)
        _write(line)


def _caller(frame):
    """The innermost function outside of the pickling itself."""
    while frame.f_back is not None and frame.f_code.co_filename.endswith(
        ("/pickle.py", "/multiprocessing/reduction.py")
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_code.co_name}"


def _write(line):
    path = os.path.join(os.environ["UNPICKLING_LOG"], str(os.getpid()))
    with open(path, "a", encoding="utf-8") as log:
        log.write(line)


def install():
    sys.addaudithook(_hook)


if os.environ.get("UNPICKLING_LOG"):
    install()
