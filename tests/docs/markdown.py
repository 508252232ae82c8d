"""Reads the documents of this repository: files, links, code blocks, tables and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
TOP_LEVEL = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_INLINE_CODE = re.compile(r"`([^`\n]+)`")
_TABLE_RULE = re.compile(r"^\|[-| :]+\|$")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """`language` is the word behind the opening fence."""

    language: str
    code: str

    @property
    def path(self) -> str:
        """The file that the first line names in a comment; empty without one."""
        match = re.match(r"(?:#|\{#)\s*([\w/]+\.\w+)", self.code)
        return match[1] if match else ""


@dataclass(frozen=True, slots=True)
class Document:
    """One Markdown file."""

    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text without code blocks."""
        return _FENCE.sub("", self.text)

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def list_links(self) -> list[str]:
        return _LINK.findall(self.prose)

    def list_inline_code(self) -> list[str]:
        return _INLINE_CODE.findall(self.prose)

    def list_blocks(self, *languages: str) -> list[CodeBlock]:
        blocks = [CodeBlock(*match.groups()) for match in _FENCE.finditer(self.text)]
        return [block for block in blocks if not languages or block.language in languages]

    def get_block(self, path: str) -> str:
        """The code of the block that names `path` in its first line. Raises StopIteration."""
        return next(block.code for block in self.list_blocks() if block.path == path)

    def list_headings(self) -> list[str]:
        return re.findall(r"^#+ (.+)$", self.prose, re.MULTILINE)

    def list_anchors(self) -> set[str]:
        """GitHub's anchors of the headings."""
        anchors = set()
        for heading in self.list_headings():
            words = re.sub(r"[^\w\- ]", "", heading.lower())
            anchors.add(words.replace(" ", "-"))
        return anchors

    def iter_tables(self) -> Iterator[list[list[str]]]:
        """Cells of each table, header row first, without the rule below the header."""
        rows: list[list[str]] = []
        for line in [*self.text.splitlines(), ""]:
            if line.startswith("|"):
                if not _TABLE_RULE.match(line):
                    rows.append([cell.strip() for cell in line.strip("|").split("|")])
            elif rows:
                yield rows
                rows = []

    def get_table(self, first_column: str) -> list[list[str]]:
        """Rows below the header of the first table whose first column has this title. Raises StopIteration."""
        return next(table[1:] for table in self.iter_tables() if table[0][0] == first_column)


def list_documents() -> list[Document]:
    paths = [ROOT / name for name in TOP_LEVEL]
    paths += sorted(DOCS.rglob("*.md"))
    return [Document(path) for path in paths]


def open_document(name: str) -> Document:
    return Document(ROOT / name)
