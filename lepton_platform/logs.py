"""Logging as JSON lines on standard error; secrets and end users' ids are redacted before a line is written."""

from __future__ import annotations

import logging.config
import os
import re
from collections.abc import Mapping
from typing import Any

import structlog

_REDACTED = "[removed]"
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

# API paths contain clients' ids, misspelt API paths do too, and query strings contain search terms.
# An id may contain spaces and quotes and logged paths are not percent-encoded, so the end of an id can't be found:
# the rest of the line is removed.
_API_ROUTES = r"v1/(?:items|profiles|events|reviews|recommendations|models|jobs|knowledge|tenant)"
_LOGGED_PATH = re.compile(
    rf"(?P<route>/api/{_API_ROUTES})/[^\n]*"
    rf"|(?P<unknown>/api)/(?!(?:{_API_ROUTES}|schema)(?:[?\s\"']|$))[^\n]*"
    r"|(?P<path>(?<![:\w])/[^\s?\"']*)\?[^\s\"']*",
    re.I,
)


def redact_secrets(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """structlog processor: redacts values of fields with a secret name, and secrets and paths inside any text."""
    return {name: _redact_value(name, value) for name, value in event.items()}


def _redact_value(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return _REDACTED
    if isinstance(value, str):
        return _LOGGED_PATH.sub(_redact_ids, _SECRET_VALUE.sub(_REDACTED, value))
    if isinstance(value, bytes):
        return f"[{len(value)} bytes]"
    if isinstance(value, Mapping):
        return {str(key): _redact_value(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_value("", inner) for inner in value]
    return value


def _redact_ids(match: re.Match[str]) -> str:
    route = match["route"] or match["unknown"]
    if route:
        return f"{route}/{_REDACTED}"
    return f"{match['path']}?{_REDACTED}"


def _build_shared_processors() -> list[Any]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_secrets,
    ]


def build_logging_settings() -> dict[str, Any]:
    """Settings for `logging.config.dictConfig`; loggers of other packages pass the same processors.

    The level is INFO in long-running processes and WARNING in management commands.
    """
    # Only long-running processes have LEPTON_PROCESS set.
    level = "INFO" if "LEPTON_PROCESS" in os.environ else "WARNING"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _build_shared_processors(),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
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


def configure_structlog() -> None:
    """Sends structlog events to the standard library's handlers."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_build_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def apply_logging() -> None:
    """Configures structlog and the standard library's logging of this process."""
    configure_structlog()
    logging.config.dictConfig(build_logging_settings())
