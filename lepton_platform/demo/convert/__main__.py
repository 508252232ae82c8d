"""`python -m lepton_platform.demo.convert SOURCE OUT`: rebuilds the demo tables."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from lepton_platform.demo.convert import ads, bank, clothing, drugs, education
from lepton_platform.demo.convert.tables import SCHEMAS, DemoTables, write

CONVERTERS: dict[str, tuple[str, Callable[[Path], DemoTables]]] = {
    "education": (education.FOLDER, education.convert),
    "ads": (ads.FOLDER, ads.convert),
    "clothing": (clothing.FOLDER, clothing.convert),
    "bank": (bank.FOLDER, bank.convert),
    "drugs": (drugs.FOLDER, drugs.convert),
}


def main(source: Path, out: Path) -> None:
    for name, (folder, convert) in CONVERTERS.items():
        tables = convert(source / folder)
        write(tables, out / name)
        counts = ", ".join(f"{getattr(tables, table).height} {table}" for table in SCHEMAS)
        print(f"{name}: {counts}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m lepton_platform.demo.convert SOURCE OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
