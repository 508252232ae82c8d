"""Figures and pictures for the templates: icons, sparklines, short numbers."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import get_language, ngettext, pgettext
from django.utils.translation import gettext as _

from lepton_platform.portal.messages import translate_decision
from recommender.algorithms.ensemble.registry import MODEL_LABELS

register = template.Library()

_ICONS = Path(__file__).parent.parent / "static" / "portal" / "icons.json"
_N_TONES = 6
_WIDTH, _HEIGHT = 100.0, 32.0
# From this value on, in units of, with this suffix.
_NUMBER_SUFFIXES = ((1e9, 1e9, "B"), (1e6, 1e6, "M"), (1e4, 1e3, "K"))
_NUMBER_SUFFIXES_ZH = ((1e8, 1e8, "亿"), (1e4, 1e4, "万"))
_CURRENCY_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "CNY": "¥"}


@cache
def load_icon_shapes() -> dict[str, str]:
    shapes: dict[str, str] = json.loads(_ICONS.read_text(encoding="utf-8"))
    return shapes


@register.simple_tag(name="icon")
def render_icon(name: str, css: str = "size-4") -> SafeString:
    """A decorative Lucide icon. KeyError for a name that assets/icons.json does not list."""
    return format_html(
        '<svg class="{}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2"'
        ' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{}</svg>',
        css,
        mark_safe(load_icon_shapes()[name]),  # noqa: S308 - our own build output, no user text
    )


@register.simple_tag(name="sparkline")
def render_sparkline(values: Sequence[float], label: str = "") -> SafeString:
    """A line over `values`, oldest first; fewer than two give a flat line."""
    points = list(values) if len(values) > 1 else [0.0, 0.0]
    low, high = min(points), max(points)
    span = (high - low) or 1.0
    step = _WIDTH / (len(points) - 1)
    coordinates = [
        f"{index * step:.1f} {_HEIGHT - 2 - (value - low) / span * (_HEIGHT - 4):.1f}"
        for index, value in enumerate(points)
    ]
    return format_html(
        '<svg class="sparkline" viewBox="0 0 100 32" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path d="M{}"/></svg>',
        label or _("Course over the period"),
        " L".join(coordinates),
    )


@register.simple_tag(name="placeholder")
def render_placeholder(text: object) -> SafeString:
    """A calm picture for something without one: the same for the same text."""
    seed = zlib.crc32(str(text).encode()) >> 8
    x, y, left, top = 36 + seed % 22, 34 + seed // 22 % 18, 24 + seed // 400 % 26, 46 + seed // 10_400 % 12
    return format_html(
        '<svg viewBox="0 0 100 100"><circle class="far" cx="{}" cy="{}" r="29"/>'
        '<rect class="near" x="{}" y="{}" width="42" height="29" rx="6"/></svg>',
        x,
        y,
        left,
        top,
    )


@register.filter(name="number")
def format_number(value: float | None, digits: int = 0) -> str:
    """Thousands in groups of three in every language; a dash for nothing."""
    if value is None:
        return "–"
    return f"{value:,.{digits}f}"


@register.filter(name="compact")
def format_compact(value: float | None) -> str:
    """1.24M, 12.4K, 950, in Chinese 124万 and 1.24万; a dash for nothing."""
    if value is None:
        return "–"
    is_chinese = (get_language() or "").startswith("zh")
    for least, size, suffix in _NUMBER_SUFFIXES_ZH if is_chinese else _NUMBER_SUFFIXES:
        if abs(value) >= least:
            scaled = value / size
            return f"{scaled:.3g}{suffix}" if abs(scaled) < 1000 else f"{scaled:,.0f}{suffix}"
    return f"{value:,.0f}"


@register.filter(name="percent")
def format_percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{value * 100:.{digits}f}%"


@register.filter(name="score")
def format_score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


@register.filter(name="money")
def format_money(value: float | None, currency: str | None = "") -> str:
    """€1,234.50; a currency without a sign of its own by its code: CHF 1,234.50."""
    if value is None:
        return ""
    code = currency or ""
    return (
        f"{_CURRENCY_SIGNS[code]}{value:,.2f}" if code in _CURRENCY_SIGNS else f"{code} {value:,.2f}".strip()
    )


@register.filter(name="tone")
def pick_tone(text: object) -> int:
    """A stable colour number of a text, 0 to 5."""
    return zlib.crc32(str(text).encode()) % _N_TONES


@register.filter(name="initial")
def get_initial(text: object) -> str:
    return str(text).strip()[:1].upper() or "?"


@register.filter(name="duration")
def format_duration(span: timedelta | None) -> str:
    """`2 min 5 s`; a dash for nothing."""
    if span is None:
        return "–"
    seconds = int(span.total_seconds())
    if seconds < 60:
        return ngettext("%(n)d s", "%(n)d s", seconds) % {"n": seconds}
    return _("%(minutes)d min %(seconds)d s") % {"minutes": seconds // 60, "seconds": seconds % 60}


@register.simple_tag(name="request_id")
def get_request_id() -> str:
    """The id under which this request stands in the log; empty outside a request."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


@register.filter(name="get_item")
def get_value(mapping: dict[str, Any], key: str) -> Any:
    return mapping.get(key)


@register.simple_tag(name="query_string", takes_context=True)
def build_query_string(context: template.Context, **changes: object) -> str:
    """The current query string with `changes`; None removes a parameter."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None:
            parameters.pop(name, None)
        else:
            parameters[name] = str(value)
    encoded: str = parameters.urlencode()
    return f"?{encoded}" if encoded else "?"


@register.filter(name="local_datetime")
def format_datetime(at: datetime | None) -> str:
    """Date and time in the tenant's time zone, which the page runs in."""
    return date_format(localtime(at), pgettext("format of date and time", "j M Y, H:i")) if at else "–"


@register.filter(name="local_date")
def format_day(at: datetime | None) -> str:
    return date_format(localtime(at), pgettext("format of a date", "j M Y")) if at else "–"


@register.filter(name="signed_percent")
def format_signed_percent(value: float | None) -> str:
    return "–" if value is None else f"{value * 100:+.1f}%"


@register.filter(name="chart_value")
def format_chart_value(value: float | None) -> str:
    """A chart's value in a table: whole numbers whole, others with up to four digits."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4f}"


@register.filter(name="chart_rows")
def list_chart_rows(chart: dict[str, Any]) -> list[tuple[str, list[float | None]]]:
    """A chart's data line by line, for the table beside it."""
    columns = [line["values"] for line in chart["series"]]
    return [(label, [column[at] for column in columns]) for at, label in enumerate(chart["labels"])]


@register.filter(name="sorted")
def sort_values(values: Iterable[str]) -> list[str]:
    return sorted(values)


@register.filter(name="vertical_name")
def translate_vertical(code: str) -> str:
    return {
        "ecommerce": _("Retail"),
        "content": _("Content"),
        "ads": _("Advertising"),
        "finance": _("Finance"),
        "education": _("Education"),
        "medical": _("Health care"),
    }.get(code, code)


@register.filter(name="model_name")
def translate_model_name(code: str) -> str:
    """The label that the model's class declares, translated; an unknown code is returned unchanged."""
    label = MODEL_LABELS.get(code)
    return _(label) if label is not None else code


@register.filter(name="kind_name")
def translate_event_kind(code: str) -> str:
    """The kinds that every tenant starts with have names; a tenant's own kinds are shown as it calls them."""
    return {
        "impression": _("Impressions"),
        "view": _("Views"),
        "click": _("Clicks"),
        "cart": _("Added to cart"),
        "bookmark": _("Bookmarks"),
        "like": _("Likes"),
        "play": _("Plays"),
        "submit": _("Submissions"),
        "purchase": _("Purchases"),
        "rating": _("Ratings"),
        "dismiss": _("Dismissals"),
    }.get(code, code)


@register.filter(name="translated_reason")
def translate_reason(reason: object) -> str:
    """A reason that was written down in English, in the reader's language where we know it."""
    return translate_decision(str(reason))
