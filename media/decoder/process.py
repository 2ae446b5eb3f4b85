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

from media.codecs import DecodedCodec
from media.decoder.canary import LeakCheck
from media.decoder.ffmpeg import Decoder
from media.decoder.listener import Listener
from media.decoder.messages import MAX_BYTES, AnswerKind, Request, RequestKind, compose_answer, read_asked
from tonewall.confinement import DECODER, confine
from tonewall.log import configure_log, get_logger
from tonewall.process import (
    end_with_parent,
    harden,
    ignore_hangup,
    overwrites_freed_memory,
    renounce_privileges,
)

_MAX_STREAMS = 4096
log = get_logger(__name__)


def serve(channel: socket.socket) -> None:
    """Answer until media closes the channel."""
    streams = _Streams()
    while message := _receive_request(channel):
        try:
            asked = read_asked(message)
        except (ValueError, struct.error):
            continue  # media shuts what nobody answers for
        answers = streams.answer_request(asked)
        with contextlib.suppress(OSError):
            for serial, said in answers:
                channel.send(compose_answer(asked.stream, serial, said))


def _receive_request(channel: socket.socket) -> bytes:
    """The next message; nothing, once media has closed its end, whether or not it had read all
    answers."""
    try:
        return channel.recv(MAX_BYTES)
    except ConnectionError:
        return b""


@dataclass(slots=True)
class _Streams:
    """What is masked now."""

    _listeners: dict[int, Listener] = field(default_factory=dict)
    _leaving: dict[int, LeakCheck] = field(default_factory=dict)

    def answer_request(self, asked: Request) -> list[tuple[int, AnswerKind]]:
        """The answers that can be given now, by serial."""
        match asked.what:
            case RequestKind.FORGET:
                self._listeners.pop(asked.stream, None)
                self._leaving.pop(asked.stream, None)
                return []
            case RequestKind.LEFT:
                return [(0, AnswerKind.LEAKED)] if self._hears_key(asked) else []
            case _:
                answers = [
                    (serial, AnswerKind.OPEN if is_open else AnswerKind.SHUT)
                    for serial, is_open in self._listen(asked)
                ]
                listener = self._listeners.get(asked.stream)
                return (
                    [*answers, (0, AnswerKind.TONE)]
                    if listener is not None and listener.take_tone()
                    else answers
                )

    def _hears_key(self, asked: Request) -> bool:
        leaving = self._leaving.get(asked.stream)
        if leaving is None:
            if len(self._leaving) >= _MAX_STREAMS:
                return False
            leaving = self._leaving[asked.stream] = LeakCheck()
        return asked.codec is not None and leaving.hears(asked.codec, asked.payload)

    def _listen(self, asked: Request) -> list[tuple[int, bool]]:
        listener = self._listeners.get(asked.stream)
        changed = listener is not None and (listener.policy, listener.guard) != (asked.policy, asked.guard)
        if listener is None or changed:
            if len(self._listeners) >= _MAX_STREAMS:
                return []
            try:
                listener = self._listeners[asked.stream] = Listener(
                    asked.policy, asked.guard, in_window=changed
                )
            except ValueError:
                return []
        if asked.what is RequestKind.EVENT or asked.codec is None:
            listener.event()
            return []
        return listener.hear_packet(asked.serial, asked.codec, asked.payload)


def _confine() -> None:
    """Nothing more can be opened."""
    for codec in DecodedCodec:
        Decoder(codec)  # whatever is loaded at first use
    renounce_privileges()
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    confine(DECODER)


def main() -> None:
    """Run the decoder process until media closes its end."""
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
