"""JSON lines on standard error, with secrets removed before they are written."""

from __future__ import annotations

import logging.config
import os
import re
from collections.abc import Mapping
from typing import Any

import structlog

_HIDDEN = "[removed]"
_SECRET_NAME = re.compile(
    r"password|passwd|secret|authorization|cookie|token|api_?key|pepper|kek|session_?key", re.I
)
_SECRET_VALUE = re.compile(
    r"lep_[A-Za-z0-9_\-]{8,}"
    r"|(?<=bearer )\S+"
    r"|(?<=basic )\S+"
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)",
    re.I,
)

# Addresses of the API hold the clients' ids, also when they are misspelt, and queries hold what people searched for.
# An id may hold spaces and quotes, and logged paths are not percent-encoded: nothing tells where it ends, so the rest
# of the line goes.
_KNOWN = r"v1/(?:items|profiles|events|reviews|recommendations|models|jobs|knowledge|tenant)"
_ADDRESS = re.compile(
    rf"(?P<kept>/api/{_KNOWN})/[^\n]*"
    rf"|(?P<unknown>/api)/(?!(?:{_KNOWN}|schema)(?:[?\s\"']|$))[^\n]*"
    r"|(?P<path>(?<![:\w])/[^\s?\"']*)\?[^\s\"']*",
    re.I,
)


def without_secrets(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """A structlog processor: hides values by their field's name, and by their look wherever they stand."""
    return {name: _clean(name, value) for name, value in event.items()}


def _clean(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return _HIDDEN
    if isinstance(value, str):
        return _ADDRESS.sub(_without_ids, _SECRET_VALUE.sub(_HIDDEN, value))
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {str(key): _clean(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", inner) for inner in value]
    return value


def _without_ids(found: re.Match[str]) -> str:
    kept = found["kept"] or found["unknown"]
    return f"{kept}/{_HIDDEN}" if kept else f"{found['path']}?{_HIDDEN}"


def _shared() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        without_secrets,
    ]


def logging_settings() -> dict[str, Any]:
    """For `logging.config.dictConfig`; foreign loggers pass the same processors. Commands tell people less."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared(),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": "INFO" if "LEPTON_PROCESS" in os.environ else "WARNING"},
        "loggers": {
            "django.server": {"level": "WARNING"},
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "celery.beat": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "kombu": {"level": "WARNING"},
            "psycopg.pool": {"level": "ERROR"},
        },
    }


def configure() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def apply() -> None:
    """Both structlog and the standard library, for a process that does not go through Django's set-up."""
    configure()
    logging.config.dictConfig(logging_settings())
