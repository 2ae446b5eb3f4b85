"""A sip.conf that is as it should be, with what a test changes."""

from __future__ import annotations

from pathlib import Path

from b2bua.config.reading import read_settings
from b2bua.config.settings import Settings
from tests.stack import free_port

GOOD_TOKEN = "Wq7Lr2ZpXc9VtB4n"


def conf(folder: Path, **sections: dict[str, str]) -> Path:
    base: dict[str, dict[str, str]] = {
        "general": {"directory": str(folder / "run"), "port": str(free_port())},
        "carrier": {"host": "192.0.2.1"},
        "pbx": {"host": "192.0.2.3"},
        "media": {},
        "api": {"tokens": f"desk:{GOOD_TOKEN}", "port": str(free_port())},
        "cdr": {"url": f"sqlite:///{folder / 'cdr.sqlite'}", "spool": str(folder / "cdr.spool")},
        "provider": {
            "url": "https://payments.example", "api_key": "k-4412-aa",
            "journal": str(folder / "journal.jsonl"),
        },
    }  # fmt: skip
    for name, keys in sections.items():
        base.setdefault(name, {}).update(keys)
    path = folder / "sip.conf"
    path.touch(mode=0o600)
    path.write_text(
        "".join(
            f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) for name, keys in base.items()
        )
    )
    return path


def settings(folder: Path, **sections: dict[str, str]) -> Settings:
    return read_settings(conf(folder, **sections))
