"""Where the recordings of a set come from, and what is odd about them.

Rule 1: a company's own file stands in the place of the shipped one of its name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from media.prompts.names import is_name
from media.prompts.sentences import SENTENCES
from media.prompts.tones import TONES
from media.settings import PromptSettings

SHIPPED_FILES: Final = Path(__file__).with_name("shipped")
AUDIO: Final = frozenset({".wav", ".opus", ".ogg", ".flac", ".mp3", ".m4a"})
MOST_FILES: Final = 5000  # of one language


class NoFolder(Exception):
    """A set has no folder of a language; `str(error)` says where one was looked for."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file of audio, and the prompt that it is."""

    language: str
    name: str
    path: Path


def list_sources(settings: PromptSettings | None) -> list[Source]:
    """The files of a set, the company's own before others of the same name; None: the shipped set.
    Raises NoFolder."""
    found: dict[tuple[str, str], Source] = {}
    if settings is None or settings.placeholders:
        found.update({(each.language, each.name): each for each in _files(SHIPPED_FILES)})
    if settings is not None:
        own = {(each.language, each.name): each for each in _files(settings.directory)}
        if not own:
            raise NoFolder(f"{settings.directory}: no folder of a language with files of audio")
        languages = {language for language, _ in own}
        shipped = {key: each for key, each in found.items() if key[0] in languages}
        found = shipped | (_tones(languages) if settings.placeholders else {}) | own
    return list(found.values())


def missing_names(sources: list[Source], language: str) -> list[str]:
    """The names of shipped prompts that a set lacks in this language."""
    names = {each.name for each in sources if each.language == language}
    wanted = {*SENTENCES.get(language, SENTENCES["en"]), *TONES}
    return sorted(wanted - names)


def odd_files(directory: Path) -> list[Path]:
    """Files in folders of languages that are no prompts, by their names."""
    return sorted(
        path
        for folder in _languages(directory)
        for path in folder.iterdir()
        if path.is_file() and (path.suffix.lower() not in AUDIO or not is_name(path.stem))
    )


def _tones(languages: set[str]) -> dict[tuple[str, str], Source]:
    """The shipped tones, in each of these languages: they have no words."""
    shipped = {each.name: each.path for each in _files(SHIPPED_FILES) if each.name in TONES}
    return {(each, name): Source(each, name, shipped[name]) for each in languages for name in shipped}


def _languages(directory: Path) -> Iterator[Path]:
    try:
        yield from (each for each in sorted(directory.iterdir()) if each.is_dir() and is_name(each.name))
    except OSError as error:
        raise NoFolder(f"{directory}: {error.strerror}") from error


def _files(directory: Path) -> Iterator[Source]:
    for folder in _languages(directory):
        for path in sorted(folder.iterdir())[:MOST_FILES]:
            if path.suffix.lower() in AUDIO and is_name(path.stem):
                yield Source(folder.name, path.stem, path)
