"""Logs calls of pickle and marshal. Through PYTHONPATH every Python process that a test starts imports it.

It imports little, and only from the standard library, because it runs before all other code. `UNPICKLING_LOG` is a folder.
"""

import os
import sys

_AUDITED_EVENTS = frozenset({"pickle.find_class", "marshal.loads", "marshal.load"})
# The import system reads compiled modules this way.
_IMPORT_SYSTEM_FILES = ("<frozen importlib._bootstrap_external>", "<frozen zipimport>")
_logged_lines = set()


def _log_unpickling(event, arguments):
    if event not in _AUDITED_EVENTS:
        return
    frame = sys._getframe(1)
    if frame.f_code.co_filename in _IMPORT_SYSTEM_FILES:
        return
    target = ".".join(map(str, arguments)) if event == "pickle.find_class" else event
    line = f"{_find_caller(frame)}\t{target}\n"
    if line not in _logged_lines:
        _logged_lines.add(line)
        _append_line(line)


def _find_caller(frame):
    """The innermost function outside the pickling modules."""
    while frame.f_back is not None and frame.f_code.co_filename.endswith(
        ("/pickle.py", "/multiprocessing/reduction.py")
    ):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_code.co_name}"


def _append_line(line):
    path = os.path.join(os.environ["UNPICKLING_LOG"], str(os.getpid()))
    with open(path, "a", encoding="utf-8") as log:
        log.write(line)


def install_hook():
    sys.addaudithook(_log_unpickling)


if os.environ.get("UNPICKLING_LOG"):
    install_hook()
