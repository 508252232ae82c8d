"""Template tags and filters: icons, sparklines, and the formats of numbers, dates and names."""

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

from lepton_platform.portal.messages import translate_sentence
from recommender.algorithms.ensemble.registry import MODEL_LABELS

register = template.Library()

MISSING = "–"
_ICONS = Path(__file__).parent.parent / "static" / "portal" / "icons.json"
_N_TONES = 6
_WIDTH, _HEIGHT = 100.0, 32.0
# (smallest value, unit, suffix): values from 1e4 on are written in thousands.
_NUMBER_SUFFIXES = ((1e9, 1e9, "B"), (1e6, 1e6, "M"), (1e4, 1e3, "K"))
_NUMBER_SUFFIXES_ZH = ((1e8, 1e8, "亿"), (1e4, 1e4, "万"))
_CURRENCY_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "CNY": "¥"}


@cache
def load_icon_shapes() -> dict[str, str]:
    """Returns the SVG content of every built icon by name."""
    shapes: dict[str, str] = json.loads(_ICONS.read_text(encoding="utf-8"))
    return shapes


@register.simple_tag(name="icon")
def render_icon(name: str, css: str = "size-4") -> SafeString:
    """Renders a decorative Lucide icon. Raises KeyError for a name that assets/icons.json does not list."""
    return format_html(
        '<svg class="{}" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2"'
        ' stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">{}</svg>',
        css,
        mark_safe(load_icon_shapes()[name]),  # noqa: S308 - our own build output, no user text
    )


@register.simple_tag(name="sparkline")
def render_sparkline(values: Sequence[float], label: str = "") -> SafeString:
    """Renders a line over `values`, oldest first. Fewer than two values give a flat line."""
    points = list(values) if len(values) > 1 else [0.0, 0.0]
    low = min(points)
    high = max(points)
    span = (high - low) or 1.0
    step = _WIDTH / (len(points) - 1)
    coordinates = []
    for index, value in enumerate(points):
        # SVG's y axis points down; a margin of 2 keeps the stroke inside the box.
        y = _HEIGHT - 2 - (value - low) / span * (_HEIGHT - 4)
        coordinates.append(f"{index * step:.1f} {y:.1f}")
    return format_html(
        '<svg class="sparkline" viewBox="0 0 100 32" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path d="M{}"/></svg>',
        label or _("Trend over the period"),
        " L".join(coordinates),
    )


@register.simple_tag(name="placeholder")
def render_placeholder(text: object) -> SafeString:
    """Renders a circle and a rectangle as the picture of an item without an image, always the same for the same text."""
    # The digits of a mixed-radix number (22, 18, 26, 12) give four independent offsets from one hash.
    seed = zlib.crc32(str(text).encode()) >> 8
    circle_x = 36 + seed % 22
    circle_y = 34 + seed // 22 % 18
    rect_x = 24 + seed // 400 % 26
    rect_y = 46 + seed // 10_400 % 12
    return format_html(
        '<svg viewBox="0 0 100 100"><circle class="far" cx="{}" cy="{}" r="29"/>'
        '<rect class="near" x="{}" y="{}" width="42" height="29" rx="6"/></svg>',
        circle_x,
        circle_y,
        rect_x,
        rect_y,
    )


@register.filter(name="number")
def format_number(value: float | None, digits: int = 0) -> str:
    """Formats a number with groups of three digits, in every language; None as a dash."""
    if value is None:
        return MISSING
    return f"{value:,.{digits}f}"


@register.filter(name="compact")
def format_compact(value: float | None) -> str:
    """Formats a number in short: 1.24M, 12.4K, 950; in Chinese 124万 and 1.24万; None as a dash."""
    if value is None:
        return MISSING
    suffixes: Sequence[tuple[float, float, str]] = _NUMBER_SUFFIXES
    if (get_language() or "").startswith("zh"):
        suffixes = _NUMBER_SUFFIXES_ZH
    for min_value, unit, suffix in suffixes:
        if abs(value) < min_value:
            continue
        scaled = value / unit
        if abs(scaled) < 1000:
            return f"{scaled:.3g}{suffix}"
        # Three significant digits of 12,345亿 would be written as 1.23e+04.
        return f"{scaled:,.0f}{suffix}"
    return f"{value:,.0f}"


@register.filter(name="percent")
def format_percent(value: float | None, digits: int = 1) -> str:
    """Formats a fraction as per cent; None as a dash."""
    if value is None:
        return MISSING
    return f"{value * 100:.{digits}f}%"


@register.filter(name="signed_percent")
def format_signed_percent(value: float | None) -> str:
    """Formats a fraction as per cent with its sign; None as a dash."""
    if value is None:
        return MISSING
    return f"{value * 100:+.1f}%"


@register.filter(name="score")
def format_score(value: float | None) -> str:
    """Formats a quality metric with three decimals; None as a dash."""
    if value is None:
        return MISSING
    return f"{value:.3f}"


@register.filter(name="money")
def format_money(value: float | None, currency: str | None = "") -> str:
    """Formats an amount: €1,234.50, or CHF 1,234.50 for a currency without a sign of its own. None is empty."""
    if value is None:
        return ""
    code = currency or ""
    if code in _CURRENCY_SIGNS:
        return f"{_CURRENCY_SIGNS[code]}{value:,.2f}"
    return f"{code} {value:,.2f}".strip()


@register.filter(name="tone")
def pick_tone(text: object) -> int:
    """Returns the colour number of a text, from 0 to 5, always the same for the same text."""
    # hash() differs between processes, so a checksum is used.
    return zlib.crc32(str(text).encode()) % _N_TONES


@register.filter(name="initial")
def get_initial(text: object) -> str:
    """Returns the first letter in upper case, or a question mark for an empty text."""
    return str(text).strip()[:1].upper() or "?"


@register.filter(name="duration")
def format_duration(span: timedelta | None) -> str:
    """Formats a duration as `2 min 5 s`; None as a dash."""
    if span is None:
        return MISSING
    seconds = int(span.total_seconds())
    if seconds < 60:
        return ngettext("%(n)d s", "%(n)d s", seconds) % {"n": seconds}
    return _("%(minutes)d min %(seconds)d s") % {"minutes": seconds // 60, "seconds": seconds % 60}


@register.simple_tag(name="request_id")
def get_request_id() -> str:
    """Returns the id that the log lines of this request have; empty outside a request."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))


@register.filter(name="get_item")
def get_value(mapping: dict[str, Any], key: str) -> Any:
    """Returns `mapping[key]`, or None: template syntax has no lookup by a variable."""
    return mapping.get(key)


@register.simple_tag(name="query_string", takes_context=True)
def build_query_string(context: template.Context, **changes: object) -> str:
    """Returns the current query string with `changes`. None removes a parameter."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None:
            parameters.pop(name, None)
        else:
            parameters[name] = str(value)
    # A lone question mark links to the current page without parameters; an empty href would keep them.
    return f"?{parameters.urlencode()}"


@register.filter(name="local_datetime")
def format_datetime(time: datetime | None) -> str:
    """Formats date and time in the tenant's time zone, which the page is rendered in; None as a dash."""
    if time is None:
        return MISSING
    return date_format(localtime(time), pgettext("format of date and time", "j M Y, H:i"))


@register.filter(name="local_date")
def format_day(time: datetime | None) -> str:
    """Formats the date in the tenant's time zone; None as a dash."""
    if time is None:
        return MISSING
    return date_format(localtime(time), pgettext("format of a date", "j M Y"))


@register.filter(name="chart_value")
def format_chart_value(value: float | None) -> str:
    """Formats a value of a chart for its table: integers without decimals, other numbers with four; None as a dash."""
    if value is None:
        return MISSING
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.4f}"


@register.filter(name="chart_rows")
def list_chart_rows(chart: dict[str, Any]) -> list[tuple[str, list[float | None]]]:
    """Transposes a chart's data: one row for each label, with the value of every series."""
    columns = [series["values"] for series in chart["series"]]
    rows = []
    for index, label in enumerate(chart["labels"]):
        rows.append((label, [column[index] for column in columns]))
    return rows


@register.filter(name="sorted")
def sort_values(values: Iterable[str]) -> list[str]:
    """Returns the values in ascending order."""
    return sorted(values)


@register.filter(name="vertical_name")
def translate_vertical(code: str) -> str:
    """Returns the name of an industry; an unknown code is returned unchanged."""
    names = {
        "ecommerce": _("Retail"),
        "content": _("Content"),
        "ads": _("Advertising"),
        "finance": _("Finance"),
        "education": _("Education"),
        "medical": _("Health care"),
    }
    return names.get(code, code)


@register.filter(name="model_name")
def translate_model_name(code: str) -> str:
    """The label that the model's class declares, translated; an unknown code is returned unchanged."""
    if code not in MODEL_LABELS:
        return code
    return _(MODEL_LABELS[code])


@register.filter(name="kind_name")
def translate_event_kind(code: str) -> str:
    """Returns the name of a preset event kind; a kind that the tenant defined is returned unchanged."""
    names = {
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
    }
    return names.get(code, code)


@register.filter(name="audit_value")
def format_audit_value(value: object, name: str) -> object:
    """Translates the value of the audit fact `reason`, which is stored in English; other values stay unchanged."""
    if name == "reason":
        return translate_sentence(str(value))
    return value
