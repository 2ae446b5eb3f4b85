"""What Sphinx is to do: read docs/ as it stands, and make pages that ask no other host for
anything."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

project = "Tonewall"
copyright = "the Tonewall authors"
extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
root_doc = "README"
html_theme = "furo"
html_title = "Tonewall"
html_copy_source = False
html_show_sphinx = False
myst_heading_anchors = 6  # as GitHub names them
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True


def setup(app: Any) -> None:
    """Add tables of contents to the first page, and read diagrams as text."""
    from release.site.navigation import tables, within  # noqa: PLC0415 -- ROOT is in the path by now

    def read(_: Any, name: str, content: list[str]) -> None:
        content[0] = within(name, content[0]) + (tables(app.env.found_docs) if name == root_doc else "")

    app.add_lexer("mermaid", import_module("pygments.lexers.special").TextLexer)
    app.connect("source-read", read)
