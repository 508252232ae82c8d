"""Relative links, anchors and paths in the documents lead to something."""

from __future__ import annotations

import re

import pytest

from tests.docs.markdown import DOCS, ROOT, Document, list_documents

DOCUMENTS = list_documents()
# A path in inline code: at least one slash, and one of our top-level folders in front.
_PATH = re.compile(r"(?:lepton_platform|recommender|tenants|tests|templates|deploy|docs)/[\w./-]*[\w/]")
# Files that the guides and the build create.
CREATED = {
    "recommender/algorithms/neighbourhood/markov_chain.py",
    "lepton_platform/demo/data",
    "docs/decisions",
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Document) -> None:
    broken = []
    for link in document.list_links():
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.path.parent / path).resolve() if path else document.path
        if (
            not target.exists()
            or not target.is_relative_to(ROOT)
            or (anchor and anchor not in Document(target).list_anchors())
        ):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_path_in_inline_code_exists(document: Document) -> None:
    paths = {code for code in document.list_inline_code() if _PATH.fullmatch(code)}
    assert sorted(path for path in paths - CREATED if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("folder", ["algorithms", "decisions"])
def test_every_page_of_a_folder_is_in_its_index(folder: str) -> None:
    links = set(Document(DOCS / folder / "README.md").list_links())
    pages = {path.name for path in (DOCS / folder).glob("*.md")} - {"README.md"}
    assert pages <= links


def test_every_page_is_reached_from_the_index() -> None:
    links = {(DOCS / link.partition("#")[0]).resolve() for link in Document(DOCS / "README.md").list_links()}
    assert set(DOCS.glob("*.md")) - {DOCS / "README.md"} <= links


def test_documents_named_in_the_source_exist() -> None:
    missing = []
    for folder in ("lepton_platform", "recommender", "tenants", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            for name in re.findall(r"docs/[\w/.-]+\.md", path.read_text(encoding="utf-8")):
                if not (ROOT / name).exists():
                    missing.append(f"{path.relative_to(ROOT)}: {name}")
    assert missing == []
