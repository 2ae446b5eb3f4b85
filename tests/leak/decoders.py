"""Three decoders that share no code, and their union: what anybody could read from a leg's audio.

PCM is 8 kHz, 16 bit, mono, as numpy int16. Each decoder is set to hear more than a telephone would:
a leak is what the most sensitive of them finds. Decoders disagree on the same audio, so a leak is
counted by their union.

Rule 1: a digit that several hear at about the same moment is one.
Rule 2: a decoder that is not there raises; it never counts as one that heard nothing."""

from __future__ import annotations

import ctypes
import functools
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

RATE = 8000
KEYS = "123A456B789C*0#D"
ROWS = (697.0, 770.0, 852.0, 941.0)
COLUMNS = (1209.0, 1336.0, 1477.0, 1633.0)
# How far apart two decoders may report the same press: each speaks when it is sure, at the latest
# 45 ms into a tone.
TOGETHER = int(0.06 * RATE)


@dataclass(frozen=True, slots=True)
class Heard:
    """One digit that a decoder reports, and the sample (8 kHz) at which it was sure of it."""

    digit: str
    sample: int


# --- spandsp --------------------------------------------------------------------------------------

# Samples: the length of its Goertzel filters; a decision falls at the end of each.
_SPANDSP_BLOCK = 102
_SPANDSP_TWIST = 14  # dB, either way; its own defaults are 8 and 4
_SPANDSP_FLOOR = -55  # dBm0; its own default is -42


@functools.cache
def library() -> Any:
    """spandsp, with the types of what is called of it."""
    loaded = ctypes.CDLL("libspandsp.so.2")
    loaded.dtmf_rx_init.restype = ctypes.c_void_p
    loaded.dtmf_rx_init.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    loaded.dtmf_rx_parms.restype = None
    loaded.dtmf_rx_parms.argtypes = [ctypes.c_void_p, *[ctypes.c_int] * 4]
    loaded.dtmf_rx.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    loaded.dtmf_rx_get.restype = ctypes.c_size_t
    loaded.dtmf_rx_get.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    loaded.dtmf_rx_free.argtypes = [ctypes.c_void_p]
    loaded.plc_init.restype = ctypes.c_void_p
    loaded.plc_init.argtypes = [ctypes.c_void_p]
    for name in ("plc_rx", "plc_fillin"):
        getattr(loaded, name).argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    loaded.plc_free.argtypes = [ctypes.c_void_p]
    return loaded


def spandsp(pcm: Pcm) -> list[Heard]:
    """spandsp's `dtmf_rx`, fed block by block so that each digit has its place."""
    rx = library()
    samples = np.ascontiguousarray(pcm, dtype=np.int16)
    start = samples.ctypes.data
    heard: list[Heard] = []
    digits = ctypes.create_string_buffer(16)
    state = rx.dtmf_rx_init(None, None, None)
    try:
        rx.dtmf_rx_parms(state, 0, _SPANDSP_TWIST, _SPANDSP_TWIST, _SPANDSP_FLOOR)
        for at in range(0, len(samples), _SPANDSP_BLOCK):
            count = min(_SPANDSP_BLOCK, len(samples) - at)
            rx.dtmf_rx(state, start + 2 * at, count)
            got = rx.dtmf_rx_get(state, digits, 15)
            heard += [Heard(digit, at + count) for digit in digits.value[:got].decode("ascii")]
    finally:
        rx.dtmf_rx_free(state)
    return heard


# --- multimon-ng ----------------------------------------------------------------------------------

_MULTIMON_RATE = 22050
_MULTIMON = ["multimon-ng", "-q", "-n", "-c", "-a", "DTMF"]
_DATAGRAM = 2 * 441  # bytes: 20 ms at its rate
_DTMF = re.compile(rb"DTMF: (.)\n")


def _resampled(pcm: Pcm) -> bytes:
    """`pcm` at multimon-ng's rate, band-limited, through one transform (ends are padded to whole
    seconds)."""
    seconds = -(-len(pcm) // RATE) + 1
    spectrum = np.fft.rfft(pcm.astype(np.float64), seconds * RATE)
    out = np.fft.irfft(spectrum, seconds * _MULTIMON_RATE) * (_MULTIMON_RATE / RATE)
    return bytes(np.clip(np.rint(out), -32768, 32767).astype("<i2").tobytes())


def multimon(pcm: Pcm) -> list[Heard]:
    """multimon-ng, as a process. It reports no times: where it hears something at all, it is run
    once more beside its own dump of every sample, and the lines before a digit are counted."""
    if not len(pcm):
        return []
    audio = _resampled(pcm)
    quick = subprocess.run(
        [*_MULTIMON, "-t", "raw", "-"], input=audio, stdout=subprocess.PIPE, check=True
    ).stdout
    if not _DTMF.search(quick):
        return []
    # It runs each decoder over what one read gave: packets on a socket make that 20 ms each,
    # whatever a pipe would give.
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with subprocess.Popen(
        [*_MULTIMON, "-a", "DUMPCSV", "-t", "raw", "-"], stdin=its.fileno(), stdout=subprocess.PIPE
    ) as process:
        its.close()
        feeder = threading.Thread(target=_feed, args=(ours, audio))
        feeder.start()
        assert process.stdout
        out = process.stdout.read()
        feeder.join()
    heard: list[Heard] = []
    lines = seen = 0
    for number, match in enumerate(_DTMF.finditer(out)):
        lines += out.count(b"\n", seen, match.start())
        seen = match.start()
        heard.append(
            Heard(match[1].decode("ascii"), min(len(pcm), (lines - number) * RATE // _MULTIMON_RATE))
        )
    return heard


def _feed(to: socket.socket, audio: bytes) -> None:
    with to:
        for at in range(0, len(audio), _DATAGRAM):
            to.send(audio[at : at + _DATAGRAM])


# --- our own --------------------------------------------------------------------------------------

_WINDOW = 160  # samples: 20 ms
_HOP = 40  # samples: 5 ms
_RUN = 4  # windows in a row: 35 ms of tone
_SHARE = 0.6  # of the window's energy is in the pair
_TWIST = 10 ** (14 / 10)  # either way
_AHEAD = 10 ** (6 / 10)  # the strongest of a group over the next of it
_DETUNED = (-0.012, 0.0, 0.012)  # a tone 1.8 % off lies at most 10 Hz from one of these
_FLOOR = 8.0  # amplitude of the weaker tone: about -66 dBm0


@functools.cache
def _kernel() -> NDArray[np.complex128]:
    """(24, 160): three Goertzel filters for each of the eight frequencies, as the correlations that
    they compute."""
    frequencies = np.outer(ROWS + COLUMNS, 1 + np.array(_DETUNED)).ravel()
    return np.exp(-2j * np.pi * frequencies[:, None] * np.arange(_WINDOW) / RATE)


def goertzel(pcm: Pcm) -> list[Heard]:
    """The textbook: energy at the eight frequencies in windows of 20 ms, every 5 ms; a digit is 4
    windows that agree."""
    if len(pcm) < _WINDOW:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(pcm.astype(np.float64), _WINDOW)[::_HOP]
    # (windows, 8); a sine of amplitude a gives (a * 80) ** 2
    power = (np.abs(windows @ _kernel().T) ** 2).reshape(-1, 8, len(_DETUNED)).max(2)
    energy = np.einsum("ij,ij->i", windows, windows)  # a sine of amplitude a gives a ** 2 * 80
    rows, columns = power[:, :4], power[:, 4:]
    row, column = rows.argmax(1), columns.argmax(1)
    rows, columns = np.sort(rows, 1), np.sort(columns, 1)
    low, high = rows[:, 3], columns[:, 3]
    tone = (
        ((low + high) >= _SHARE * energy * (_WINDOW / 2))
        & (np.minimum(low, high) >= (_FLOOR * _WINDOW / 2) ** 2)
        & (low <= high * _TWIST)
        & (high <= low * _TWIST)
        & (low >= rows[:, 2] * _AHEAD)
        & (high >= columns[:, 2] * _AHEAD)
    )
    heard: list[Heard] = []
    last, run = -1, 0
    for index, key in enumerate(np.where(tone, row * 4 + column, -1).tolist()):
        run = run + 1 if key == last else 1
        last = key
        if key >= 0 and run == _RUN:
            heard.append(Heard(KEYS[key], index * _HOP + _WINDOW))
    return heard


# --- all of them ----------------------------------------------------------------------------------

DECODERS: Mapping[str, Callable[[Pcm], list[Heard]]] = {
    "spandsp": spandsp,
    "multimon-ng": multimon,
    "goertzel": goertzel,
}


def union(pcm: Pcm) -> dict[str, list[Heard]]:
    """What each decoder hears, by its name."""
    return {name: decoder(pcm) for name, decoder in DECODERS.items()}


def together(heard: Mapping[str, Sequence[Heard]], within: int = TOGETHER) -> list[Heard]:
    """The digits of all decoders in order, one for each moment.

    A report up to `within` samples (8 kHz) after another belongs to it if it comes from another
    decoder, whichever of the two is right, or says the same digit: a decoder that loses a tone and
    finds it again says it twice."""
    merged: list[Heard] = []
    voices: set[str] = set()
    latest = 0
    for one, name in sorted(
        ((one, name) for name, all_ in heard.items() for one in all_), key=lambda pair: pair[0].sample
    ):
        if merged and one.sample - latest <= within and (name not in voices or one.digit == merged[-1].digit):
            voices.add(name)
        else:
            merged.append(one)
            voices = {name}
        latest = one.sample
    return merged
