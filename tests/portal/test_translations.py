"""The Chinese catalogue, checked without any tool of gettext's own."""

from __future__ import annotations

import ast
import gettext
import re
from pathlib import Path

from django.utils.translation import templatize

from tests.conftest import ROOT

CATALOGUE = ROOT / "lepton_platform" / "locale" / "zh_Hans" / "LC_MESSAGES"
# The staff pages have a catalogue of their own.
OTHERS = {"staff", "node_modules"}
SOURCES = [
    path
    for folder in ("lepton_platform", "tenants", "recommender")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not OTHERS & set(path.parts)
]
TEMPLATES = [
    path
    for folder in ("templates", "lepton_platform")
    for path in sorted((ROOT / folder).rglob("*.html"))
    if not OTHERS & set(path.parts)
]
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "pgettext", "pgettext_lazy"}
_LITERAL = r"""u?("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_TEXT_CALL = re.compile(rf"(?<![a-z])(?:gettext|ngettext|_)\({_LITERAL}")
_CONTEXT_CALL = re.compile(rf"pgettext\(u?(?:\"[^\"]*\"|'[^']*'), {_LITERAL}")
_FIELD = re.compile(r'^(msgctxt|msgid_plural|msgid|msgstr)(?:\[\d])? "(.*)"$')


def _entries() -> list[dict[str, str]]:
    """The entries of django.po: msgctxt, msgid, msgid_plural, msgstr, and `flags`."""
    entries = []
    for block in (CATALOGUE / "django.po").read_text(encoding="utf-8").split("\n\n"):
        entry, field = {"flags": ""}, ""
        for line in block.splitlines():
            if line.startswith("#"):
                entry["flags"] += line
            elif match := _FIELD.match(line):
                field = match[1]
                entry[field] = ast.literal_eval(f'"{match[2]}"')
            else:
                entry[field] += ast.literal_eval(line)
        entries.append(entry)
    return entries


def test_every_text_is_translated_and_none_is_a_guess() -> None:
    texts = [entry for entry in _entries() if entry.get("msgid")]
    assert len(texts) > 300
    assert [entry["msgid"] for entry in texts if not entry.get("msgstr")] == []
    assert [entry["msgid"] for entry in texts if "fuzzy" in entry["flags"]] == []


def test_every_translation_fills_the_same_blanks() -> None:
    blanks = re.compile(r"%\(\w+\)[sd]|</?code>")
    different = [
        entry["msgid"]
        for entry in _entries()
        if entry.get("msgid") and set(blanks.findall(entry["msgstr"])) - set(blanks.findall(str(entry)))
    ]
    missing = [
        entry["msgid"]
        for entry in _entries()
        if entry.get("msgid") and "msgid_plural" not in entry
        if set(blanks.findall(entry["msgid"])) != set(blanks.findall(entry["msgstr"]))
    ]
    assert different == missing == []


def test_the_compiled_catalogue_is_of_the_same_texts() -> None:
    with (CATALOGUE / "django.mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    stale = [
        entry["msgid"]
        for entry in _entries()
        if entry.get("msgid") and _translate(compiled, entry) != entry["msgstr"]
    ]
    assert stale == []


def _translate(compiled: gettext.GNUTranslations, entry: dict[str, str]) -> str:
    if "msgid_plural" in entry:
        return compiled.ngettext(entry["msgid"], entry["msgid_plural"], 1)
    if "msgctxt" in entry:
        return compiled.pgettext(entry["msgctxt"], entry["msgid"])
    return compiled.gettext(entry["msgid"])


def test_every_text_of_the_code_is_in_the_catalogue() -> None:
    translated = {entry.get("msgid", "") for entry in _entries()}
    assert {text for path in SOURCES for text in _texts_of_code(path)} - translated == set()


def _texts_of_code(path: Path) -> list[str]:
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    named = [(getattr(call.func, "id", ""), call.args) for call in calls]
    texts = [
        arguments[1 if name.startswith("pgettext") else 0]
        for name, arguments in named
        if name in CALLS and arguments
    ]
    return [text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)]


def test_every_text_of_the_templates_is_in_the_catalogue() -> None:
    translated = {entry.get("msgid", "") for entry in _entries()}
    assert {text for path in TEMPLATES for text in _texts_of_template(path)} - translated == set()


def _texts_of_template(path: Path) -> list[str]:
    """The texts of `translate` and `blocktranslate` tags, as makemessages extracts them."""
    code = templatize(path.read_text("utf-8"), origin=str(path))
    literals = [*_TEXT_CALL.findall(code), *_CONTEXT_CALL.findall(code)]
    return [ast.literal_eval(literal) for literal in literals]
