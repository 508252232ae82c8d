"""Words and names that have no place in the documents."""

from __future__ import annotations

import re

import pytest

from tests.docs.markdown import Document, list_documents, open_document

FORBIDDEN = (
    # The idiom of earlier versions: things do not speak, hear or know.
    *(
        r"\bspeaks?\b(?! of|s? well)",
        r"\bhears?\b",
        r"\bmade anew\b",
        r"\bnobody may be asked\b",
        r"\bgoes on from\b",
    ),
    *(r"\bearns? its place\b", r"\bthe dearest\b", r"\bwritten anew\b", r"\blooked at again\b"),
    # Paths of one machine and hosts of package registries. The brackets keep this file from naming them itself.
    *(r"/w[o]rk/", r"/t[m]p/", r"p[y]pi\.org", r"python[h]osted"),
)


@pytest.mark.parametrize("document", list_documents(), ids=lambda document: document.name)
def test_no_document_has_a_forbidden_word(document: Document) -> None:
    assert [pattern for pattern in FORBIDDEN if re.search(pattern, document.text, re.IGNORECASE)] == []


def test_the_readme_is_about_a_hundred_lines() -> None:
    assert len(open_document("README.md").text.splitlines()) <= 125


def test_the_glossary_defines_the_words_of_the_readme() -> None:
    terms = {row[0] for table in open_document("docs/glossary.md").iter_tables() for row in table[1:]}
    assert {
        "tenant",
        "profile",
        "member",
        "item",
        "event",
        "timeline",
        "scope",
        "claim",
        "gate",
        "blend",
    } <= terms
