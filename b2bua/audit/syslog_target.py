"""Copies lines to a syslog server: RFC 5424 messages over TLS (RFC 5425).

Rule 1: syslog has no receipt. Each batch has a connection of its own, which we end in
        TLS. It was taken when the server has ended it too, without a reset: then it has read
        everything. The alert that it should answer with (RFC 5425 section 4.4) is not waited for:
        rsyslog sends none.
Rule 2: TLS 1.2 or newer, certificate and name of the server verified.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import re
import socket
import ssl
import sys
import termios
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from b2bua.audit.copier import NotCopied
from b2bua.audit.log_reader import NumberedLine
from tonewall.streams import drop

_PRIORITY: Final = 13 * 8 + 6  # log audit, informational: RFC 5424 section 6.2.1
_PATIENCE: Final = 15.0  # seconds to connect, and for the server to take something
_LAST_PATIENCE: Final = 60.0  # seconds for it to take the rest, and say so
_LOOK: Final = 0.01  # seconds between two looks whether it was reset
_CHUNK: Final = 32 << 10
_NAME: Final = re.compile(
    r"tls:(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+)):(?P<port>[0-9]{1,5})"
)


def read_address(text: str) -> tuple[str, int]:
    """Host and port of `tls:HOST:PORT`. Raises ValueError."""
    match = _NAME.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise ValueError("expected tls:HOST:PORT, as tls:log.example:6514")
    return match["six"] or match["host"], int(match["port"])


class SyslogTarget:
    """The server at `address`, as `read_address` has it."""

    name = "syslog"

    def __init__(self, address: str, context: ssl.SSLContext, host: str = "") -> None:
        """`host`: of ours, as its messages name it."""
        self.to, self._context = address, context
        self._host, self._port = read_address(address)
        self._from = _printable(host or socket.gethostname())

    async def send(self, lines: Sequence[NumberedLine]) -> None:
        """Return once the server has taken all. Raises NotCopied."""
        try:
            async with asyncio.timeout(_PATIENCE):
                connection = await _connect(self._host, self._port, self._context)
        except TimeoutError:
            raise NotCopied("timeout") from None
        except ssl.SSLCertVerificationError:
            raise NotCopied("certificate_not_trusted") from None
        except (OSError, EOFError):  # ssl.SSLError, too
            raise NotCopied("unreachable") from None
        try:
            for chunk in _chunks(self._message(line) for line in lines):
                async with asyncio.timeout(_PATIENCE):
                    await connection.write(chunk)
            async with asyncio.timeout(_LAST_PATIENCE):
                await connection.end()
        except TimeoutError:
            raise NotCopied("timeout") from None
        except (OSError, EOFError):
            raise NotCopied("connection_lost") from None
        finally:
            await connection.drop()

    def _message(self, line: NumberedLine) -> bytes:
        """One SYSLOG-FRAME (RFC 5425 section 4.3): the message is the line, as it is on disk."""
        header = f"<{_PRIORITY}>1 {line.at or '-'} {self._from} tonewall - audit - "
        message = header.encode() + line.octets[:-1]
        return b"%d %s" % (len(message), message)


class _Connection:
    """TLS over a stream, such that a peer that ends is told from one that resets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        writer.transport.set_write_buffer_limits(high=_CHUNK)

    def wrap(self, context: ssl.SSLContext, host: str) -> None:
        self._tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)

    async def handshake(self) -> None:
        await self._do(self._tls.do_handshake)

    async def write(self, octets: bytes) -> None:
        """Return once the socket has taken most of it."""
        await self._do(self._tls.write, octets)

    async def end(self) -> None:
        """Say that this was all, and return once the peer has ended too, and had read everything.
        Raises OSError where it had not."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        await self._flush()
        while await self._reader.read(_CHUNK):
            pass
        # What its kernel has not acknowledged by now arrived behind its end: a reset follows. A
        # peer that ends before it has read what was acknowledged resets the connection at once.
        while self._unacknowledged():  # noqa: ASYNC110 - the kernel tells nobody
            await asyncio.sleep(_LOOK)

    def _unacknowledged(self) -> int:
        """Octets. Raises OSError where the connection was reset."""
        if self._writer.transport.is_closing():
            raise ConnectionResetError
        descriptor = self._writer.get_extra_info("socket").fileno()
        return int.from_bytes(fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4)), sys.byteorder)

    async def drop(self) -> None:
        await drop(self._writer)

    async def _do(self, operation: Callable[..., Any], *arguments: bytes) -> None:
        while True:
            try:
                operation(*arguments)
            except ssl.SSLWantReadError:
                await self._flush()
                octets = await self._reader.read(_CHUNK)
                if not octets:
                    raise ConnectionResetError("it ended without a word") from None
                self.incoming.write(octets)
            else:
                await self._flush()
                return

    async def _flush(self) -> None:
        self._writer.write(self.outgoing.read())
        await self._writer.drain()


async def _connect(host: str, port: int, context: ssl.SSLContext) -> _Connection:
    connection = _Connection(*await asyncio.open_connection(host, port))
    try:
        connection.wrap(context, host)
        await connection.handshake()
    except BaseException:
        await connection.drop()
        raise
    return connection


def _chunks(messages: Iterable[bytes]) -> Iterator[bytes]:
    chunk = bytearray()
    for message in messages:
        chunk += message
        if len(chunk) >= _CHUNK:
            yield bytes(chunk)
            chunk.clear()
    if chunk:
        yield bytes(chunk)


def _printable(host: str) -> str:
    """The name of a host as a header may have it (RFC 5424 section 6.2.4)."""
    kept = "".join(each for each in host if "!" <= each <= "~")
    return kept[:255] or "-"
