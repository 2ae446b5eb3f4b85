"""The decoder process: listens, with FFmpeg's decoders, to masked packets of codecs that the core
does not know.

Started as `python -m media.decoder.process --fd FD` by `tonewall run`. It stands apart from media
because decoders are large programs that read what strangers send, and media has the vault.

Rule 1: once it has begun it can open no file and no socket, start and signal no process, and gains
        no privilege. Where the kernel has no seccomp, limits keep it from the first two alone.
Rule 2: it keeps no state but that of streams that are masked now.
"""

from __future__ import annotations

import argparse
import contextlib
import resource
import socket
import struct
from dataclasses import dataclass, field

from media._core import confine
from media.codecs import DecodedCodec
from media.decoder.canary import Leaving
from media.decoder.ffmpeg import Decoder
from media.decoder.listener import Listener
from media.decoder.messages import MOST_BYTES, Asked, Said, What, answer, read_asked
from tonewall.log import configure_log, get_logger
from tonewall.process import (
    end_with_parent,
    harden,
    ignore_hangup,
    overwrites_freed_memory,
    renounce_privileges,
)

_MOST_STREAMS = 4096
log = get_logger(__name__)


def serve(channel: socket.socket) -> None:
    """Answer until media closes the channel."""
    streams = _Streams()
    while message := _heard(channel):
        try:
            asked = read_asked(message)
        except (ValueError, struct.error):
            continue  # media shuts what nobody answers for
        answers = streams.hear(asked)
        with contextlib.suppress(OSError):
            for serial, said in answers:
                channel.send(answer(asked.stream, serial, said))


def _heard(channel: socket.socket) -> bytes:
    """The next message; nothing, once media has closed its end, whether or not it had read all
    answers."""
    try:
        return channel.recv(MOST_BYTES)
    except ConnectionError:
        return b""


@dataclass(slots=True)
class _Streams:
    """What is masked now."""

    _listeners: dict[int, Listener] = field(default_factory=dict)
    _leaving: dict[int, Leaving] = field(default_factory=dict)

    def hear(self, asked: Asked) -> list[tuple[int, Said]]:
        """The answers that can be given now, by serial."""
        match asked.what:
            case What.FORGET:
                self._listeners.pop(asked.stream, None)
                self._leaving.pop(asked.stream, None)
                return []
            case What.LEFT:
                return [(0, Said.LEAKED)] if self._hears_key(asked) else []
            case _:
                answers = [
                    (serial, Said.OPEN if is_open else Said.SHUT) for serial, is_open in self._listen(asked)
                ]
                listener = self._listeners.get(asked.stream)
                return (
                    [*answers, (0, Said.TONE)] if listener is not None and listener.take_tone() else answers
                )

    def _hears_key(self, asked: Asked) -> bool:
        leaving = self._leaving.get(asked.stream)
        if leaving is None:
            if len(self._leaving) >= _MOST_STREAMS:
                return False
            leaving = self._leaving[asked.stream] = Leaving()
        return asked.codec is not None and leaving.hears(asked.codec, asked.payload)

    def _listen(self, asked: Asked) -> list[tuple[int, bool]]:
        listener = self._listeners.get(asked.stream)
        changed = listener is not None and (listener.policy, listener.guard) != (asked.policy, asked.guard)
        if listener is None or changed:
            if len(self._listeners) >= _MOST_STREAMS:
                return []
            try:
                listener = self._listeners[asked.stream] = Listener(
                    asked.policy, asked.guard, in_window=changed
                )
            except ValueError:
                return []
        if asked.what is What.EVENT or asked.codec is None:
            listener.event()
            return []
        return listener.hear(asked.serial, asked.codec, asked.payload)


def _confine() -> None:
    """Nothing more can be opened."""
    for codec in DecodedCodec:
        Decoder(codec)  # whatever is loaded at first use
    renounce_privileges()
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    try:
        confine()
    except OSError as error:
        log.warning("no_system_call_filter", why=error.strerror)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m media.decoder.process", description="The decoder process of Tonewall."
    )
    parser.add_argument("--fd", type=int, required=True, help="the inherited socket to media")
    parser.add_argument("--log-level", default="info", choices=("debug", "info", "warning", "error"))
    arguments = parser.parse_args()
    configure_log("decoder", arguments.log_level)
    ignore_hangup()
    end_with_parent()
    if not overwrites_freed_memory():
        log.error(
            "refused_to_start", why="freed memory is not overwritten", hint="start with card_environment()"
        )
        raise SystemExit(78)
    harden()
    with socket.socket(fileno=arguments.fd) as channel:
        _confine()
        log.debug("ready")
        serve(channel)


if __name__ == "__main__":
    main()
