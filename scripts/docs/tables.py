"""Writes the tables of camera formats into the help pages, from what the formats' modules say of themselves.

python scripts/docs/tables.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where syncam_core lies

from syncam_core.formats.words import reading_table, writing_table

HELP = Path(__file__).resolve().parents[2] / "web" / "docs"
PAGES = {"SynCamLoadRig": reading_table, "SynCamSaveRig": writing_table}


def page_with_table(page: str, table: str) -> str:
    """The page with the table in the place of the one with the same head. Raises ValueError where there is none."""
    start = page.index(table.split("\n")[0])
    return page[:start] + table + page[page.index("\n\n", start) :]


def main() -> None:
    for name, table in PAGES.items():
        path = HELP / f"{name}.md"
        path.write_text(page_with_table(path.read_text(encoding="utf-8"), table()), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
