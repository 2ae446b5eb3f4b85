"""A small sip.conf, and the same with changes."""

from __future__ import annotations

from pathlib import Path

from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings

BASE = {
    "general": {"ring_time": "30"},
    "carrier": {"host": "192.0.2.1", "password": "before-before"},
    "pbx": {"host": "192.0.2.2"},
    "api": {"tokens": "ann:0123456789abcdef"},
    "media": {"ports": "30000-30099"},
    "provider": {"url": "https://payments.example", "api_key": "sk-before"},
    "route one": {"to": "pbx"},
}


def read(directory: Path, changes: dict[str, dict[str, str] | None]) -> Settings:
    """The settings of BASE with these changes; None: the section is gone."""
    sections = {name: {**BASE.get(name, {}), **(keys or {})} for name, keys in {**BASE, **changes}.items()}
    lines = []
    for name, keys in sections.items():
        if name in changes and changes[name] is None:
            continue
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in keys.items())]
    (directory / "sip.conf").write_text("\n".join(lines))
    return read_settings(directory / "sip.conf")
