"""Plays and records WAV files on pjsua2's conference bridge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pjsua2 as pj

_RIFF_HEADER = 8


class Sound:
    """A player and a recorder, both or either, to be joined to a call's audio. Use it on pjsua2's
    thread only."""

    def __init__(self) -> None:
        self._player: Any = None
        self._recorder: Any = None
        self._recording: Path | None = None
        self._stopped = False

    def play(self, file: Path, *, loop: bool) -> None:
        """Play a WAV file (16 bit, mono) to the other side. Raises pjsua2.Error."""
        self._player = None
        player = pj.AudioMediaPlayer()
        player.createPlayer(str(file), 0 if loop else pj.PJMEDIA_FILE_NO_LOOP)
        self._player = player

    def start_recording(self, file: Path) -> None:
        """Record the other side into a WAV file. Raises pjsua2.Error."""
        self._recorder = None
        recorder = pj.AudioMediaRecorder()
        recorder.createRecorder(str(file))
        self._recorder, self._recording, self._stopped = recorder, file, False

    def stop_recording(self) -> None:
        """End the recording; `recording_completed` is true once its file is whole."""
        self._recorder, self._stopped = None, True

    def recording_completed(self) -> bool:
        """True once after `stop_recording`, when the file is whole.

        PJMEDIA's conference bridge lets go of a recorder on a thread of its own, and only then the
        file has its length.
        """
        if not self._stopped:
            return False
        if self._recording is not None:
            with self._recording.open("rb") as file:
                if file.read(_RIFF_HEADER)[4:] == bytes(4):
                    return False
        self._recording, self._stopped = None, False
        return True

    def connect_call(self, call: Any) -> bool:
        """Connect player and recorder to the audio of a call. Whether there is a call with
        audio."""
        if call is None or not call.isActive():
            return False
        # Must stay alive while its `media` is read: SWIG does not see to that.
        info = call.getInfo()
        for index, stream in enumerate(info.media):
            if stream.type == pj.PJMEDIA_TYPE_AUDIO and stream.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                audio = call.getAudioMedia(index)
                if self._player is not None:
                    self._player.startTransmit(audio)
                if self._recorder is not None:
                    audio.startTransmit(self._recorder)
                return True
        return False

    def close(self) -> None:
        """Release player and recorder, before pjsua2 ends."""
        self._player = self._recorder = None
