"""The recordings of all prompts, encoded already: read when they are first played, then shared by
all calls.

Rule 1: each recording stands once in memory for each coding; those that were not played for the
        longest time make room for others.
Rule 2: nothing is decoded here. The files are prepared by a process that never holds a card.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from media._core import Recording
from media.formats.coding import Coding
from media.prompts.names import fallbacks, is_name

MOST_OCTETS: Final = 64 << 20  # of all recordings in memory
LONGEST: Final = 120 * 8000  # octets of one: 120 s
SUFFIXES: Final = {Coding.MU: "ulaw", Coding.A: "alaw", Coding.G722: "g722"}


class NoPrompt(Exception):
    """A prompt cannot be played; `str(error)` says why, fit for a log."""


class PromptShelf:
    """The prompts below a directory: SET/LANGUAGE/NAME and a suffix for the coding. None: there
    are none."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._recordings: OrderedDict[Path, Recording] = OrderedDict()
        self._octets = 0

    def recordings(
        self, names: Iterable[str], coding: Coding, *, prompt_set: str, language: str
    ) -> list[Recording]:
        """One for each name. Raises NoPrompt: half of a sentence is none."""
        if self._directory is None:
            raise NoPrompt("no prompts are prepared")
        if not is_name(prompt_set) or not is_name(language):
            raise NoPrompt("no such set of prompts")
        folder = self._directory / prompt_set / language
        return [self._recording(folder, name, SUFFIXES[coding], coding) for name in names]

    def _recording(self, folder: Path, name: str, suffix: str, coding: Coding) -> Recording:
        if not is_name(name):
            raise NoPrompt("a prompt has no such name")
        for each in fallbacks(name):
            path = folder / f"{each}.{suffix}"
            found = self._recordings.get(path) or self._read(path, coding)
            if found is not None:
                self._recordings.move_to_end(path)
                return found
        raise NoPrompt(f"there is no prompt {name}")

    def _read(self, path: Path, coding: Coding) -> Recording | None:
        try:
            with path.open("rb") as file:
                octets = file.read(LONGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise NoPrompt(f"{path.name}: {error.strerror}") from error
        if not octets or len(octets) > LONGEST:
            raise NoPrompt(f"{path.name}: empty, or longer than 120 s")
        self._recordings[path] = recording = Recording(octets, coding)
        self._octets += len(octets)
        while self._octets > MOST_OCTETS and len(self._recordings) > 1:
            self._octets -= len(self._recordings.popitem(last=False)[1])
        return recording
