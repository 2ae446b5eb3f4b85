"""A client of rtpengine's ng control protocol (`media/rtpengine/ng.py`) that waits for each
answer."""

from __future__ import annotations

import itertools
import socket
import time

from media.rtpengine import ng


class NgClient:
    """Asks one rtpengine. Repeats what got no answer, under the same cookie, which rtpengine
    answers from memory."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(address)
        self._socket.settimeout(0.3)
        self._serials = itertools.count(1)

    def ask(self, command: str, tries: int = 20, /, **keys: ng.Value) -> ng.Answer:
        """The answer's dictionary; underscores in `keys` stand for hyphens. Raises `ng.NgError`."""
        cookie = b"bench%d" % next(self._serials)
        request = ng.request(cookie, command, {name.replace("_", "-"): value for name, value in keys.items()})
        for _ in range(tries):
            try:
                self._socket.send(request)
                answer = ng.parse_answer(cookie, self._socket.recv(65535))
            except TimeoutError:
                continue
            except ConnectionRefusedError:  # not listening yet
                time.sleep(0.1)
                continue
            if answer is not None:
                return answer
        raise ng.NgError(f"no answer to {command}")

    def close(self) -> None:
        self._socket.close()
