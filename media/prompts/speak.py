"""Makes the shipped prompts anew: flite speaks English, espeak-ng Polish; tones are computed. They
are placeholders.

`make prompts` runs it. The same versions of the tools make the same octets.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

import av

from media.prompts.sentences import SENTENCES
from media.prompts.tones import TONES, write_tone

SHIPPED: Final = Path(__file__).with_name("shipped")
_RATE, _BIT_RATE = 16000, 14000
_SECONDS = 60  # that a tool may take


def _flite(text: str, file: Path) -> list[str]:
    return ["flite", "-voice", "slt", "-t", text, "-o", str(file)]


def _espeak(text: str, file: Path) -> list[str]:
    return ["espeak-ng", "-v", "pl", "-s", "140", "-w", str(file), text]


_SPEAKERS: Final[Mapping[str, Callable[[str, Path], list[str]]]] = {"en": _flite, "pl": _espeak}


def speak_all(into: Path) -> int:
    """Write LANGUAGE/NAME.opus for every sentence and tone; how many. Raises OSError,
    CalledProcessError."""
    count = 0
    with tempfile.TemporaryDirectory() as directory:
        spoken = Path(directory, "spoken.wav")
        for language, sentences in SENTENCES.items():
            folder = into / language
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in sentences.items():
                subprocess.run(_SPEAKERS[language](text, spoken), check=True, timeout=_SECONDS)
                _write_opus(spoken, folder / f"{name}.opus")
            for name in TONES:
                write_tone(name, spoken)
                _write_opus(spoken, folder / f"{name}.opus")
            count += len(sentences) + len(TONES)
    return count


def _write_opus(source: Path, target: Path) -> None:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
    options = {"fflags": "+bitexact"}  # no random serial number, no version
    with av.open(str(source)) as read, av.open(str(target), "w", format="ogg", options=options) as written:
        stream = written.add_stream("libopus", rate=_RATE, layout="mono")
        stream.bit_rate = _BIT_RATE
        stream.options = {"application": "voip", "flags": "+bitexact"}
        for frame in chain(read.decode(audio=0), (None,)):
            for each in resampler.resample(frame):
                written.mux(stream.encode(each))
        written.mux(stream.encode(None))


if __name__ == "__main__":
    speak_all(SHIPPED)
