"""Faults that are planted into a running Tonewall, to see that the oracles find them.

Each folder holds a `sitecustomize.py`, which Python loads where the folder is on PYTHONPATH; the
product has no such switch."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
NAMES = tuple(sorted(path.name for path in FOLDER.iterdir() if (path / "sitecustomize.py").exists()))


def environment(name: str) -> dict[str, str]:
    """Of a Tonewall that has this fault."""
    if name not in NAMES:
        raise ValueError(f"no such fault: {', '.join(NAMES)}")
    return {"PYTHONPATH": str(FOLDER / name)}
