"""Prepares the prompts for media: decodes what has changed, into a directory of encoded files, and
ends.

Started as `python -m media.prompts.process --into DIRECTORY`, the `[prompts]` sections in its
environment, by `tonewall run`; with `--check`, by `tonewall prompts`, it only says what is wrong.

Rule 1: a file that cannot be decoded is logged, and is no prompt; the others are prepared.
Rule 2: what is prepared appears at once or not at all, so that media never reads half a file.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path

from media.formats.coding import Coding
from media.prompts.shelf import SUFFIXES
from media.prompts.sources import NoFolder, Source, list_sources, missing_names, odd_files
from media.settings import SHIPPED_PROMPTS, PromptSettings, prompt_set
from tonewall.ini import ConfigError, headers, load
from tonewall.log import configure_log, get_logger
from tonewall.process import end_with_parent, ignore_hangup

log = get_logger(__name__)


def read_sets() -> dict[str, PromptSettings | None]:
    """The sets by name, the shipped one first. Raises ConfigError."""
    sets: dict[str, PromptSettings | None] = {SHIPPED_PROMPTS: None}
    for header in headers(PromptSettings.section, {}):
        sets[prompt_set(header)] = load(PromptSettings, {}, header=header)
    return sets


def prepare_set(name: str, settings: PromptSettings | None, into: Path) -> int:
    """Encode what is new or changed; how many prompts the set then has. Raises NoFolder,
    OSError."""
    kept: set[Path] = set()
    for source in list_sources(settings):
        folder = into / name / source.language
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        targets = {coding: folder / f"{source.name}.{suffix}" for coding, suffix in SUFFIXES.items()}
        changed_ns = source.path.stat().st_mtime_ns
        if any(not _is_of(target, changed_ns) for target in targets.values()):
            problem = _encode(source, targets, changed_ns)
            if problem is not None:
                log.error("prompt_not_prepared", path=str(source.path), why=problem)
                continue
        kept.update(targets.values())
    for stale in set((into / name).glob("*/*")) - kept:
        stale.unlink()
    return len(kept) // len(SUFFIXES)


def _is_of(target: Path, changed_ns: int) -> bool:
    """Whether it was made of a file that was changed then: it has the same time."""
    try:
        return target.stat().st_mtime_ns == changed_ns
    except FileNotFoundError:
        return False


def _encode(source: Source, targets: Mapping[Coding, Path], changed_ns: int) -> str | None:
    """Write the targets; why not, where it cannot be."""
    encoded = _try_encoding(source.path)
    if isinstance(encoded, str):
        return encoded
    for coding, target in targets.items():
        half = target.with_name(f".{target.name}")
        half.write_bytes(encoded[coding])
        os.utime(half, ns=(changed_ns, changed_ns))
        half.replace(target)
    return None


def _try_encoding(path: Path) -> dict[Coding, bytes] | str:
    try:
        from media.prompts.encoding import BadAudio, encode_file  # noqa: PLC0415  # may be missing
    except ImportError:
        return "PyAV is not installed; install the package av"
    try:
        return encode_file(path)
    except BadAudio as error:
        return str(error)


def prepare(into: Path) -> int:
    """Prepare all sets; the status of the process."""
    status = 0
    for name, settings in read_sets().items():
        try:
            count = prepare_set(name, settings, into)
        except (NoFolder, OSError) as error:
            log.error("prompts_not_prepared", prompts=name, exc_info=error)
            status = 1
        else:
            log.info("prompts_prepared", prompts=name, count=count)
    return status


def examine() -> int:
    """Print what each set has, lacks and cannot play; 1 where a file cannot be played."""
    status = 0
    for name, settings in read_sets().items():
        try:
            sources = list_sources(settings)
            odd = odd_files(settings.directory) if settings is not None else []
        except NoFolder as error:
            print(f"{name}: {error}")
            status = 1
            continue
        for language in sorted({each.language for each in sources}):
            missing = missing_names(sources, language)
            count = sum(each.language == language for each in sources)
            print(
                f"{name} {language}: {count} prompts"
                + (f"; missing: {', '.join(missing)}" if missing else "")
            )
        for path in odd:
            print(f"{name}: {path}: no prompt by its name")
        for source in sources:
            encoded = _try_encoding(source.path)
            if isinstance(encoded, str):
                print(f"{name}: {source.path}: {encoded}")
                status = 1
    return status


def main() -> None:
    """Prepare or examine."""
    parser = argparse.ArgumentParser(
        prog="python -m media.prompts.process", description="Prepares the prompts of Tonewall."
    )
    parser.add_argument("--into", type=Path, help="the directory of encoded files")
    parser.add_argument("--check", action="store_true", help="say what is wrong, and prepare nothing")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    arguments = parser.parse_args()
    configure_log("prompts", arguments.log_level)
    ignore_hangup()
    end_with_parent()
    try:
        raise SystemExit(examine() if arguments.check or arguments.into is None else prepare(arguments.into))
    except ConfigError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
