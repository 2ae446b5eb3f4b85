"""Speech to lay under key presses: espeak-ng's voices and the prompts that Debian packages for
Asterisk, as PCM.

Rule 1: pauses longer than 200 ms are cut, so that there is speech under nearly every press.
Rule 2: the level of speech is measured where somebody speaks (in the manner of ITU-T P.56), not
        over pauses."""

from __future__ import annotations

import functools
import io
import subprocess
import wave
from pathlib import Path

import numpy as np

from tests.leak.codec import PEAK_0DBM0, Floats

RATE = 8000
SOUNDS = Path("/usr/share/asterisk/sounds")
# Sounds among the prompts that are no speech.
_TONES = (
    "beep",
    "tone",
    "silence",
    "ring",
    "tt-monkeys",
    "tt-weasels",
    "confbridge-join",
    "confbridge-leave",
)
_PROMPTS = 60  # of each language, where nothing else is said
ALL = 1 << 20  # prompts: more than any language has
_FRAME = 160  # samples: 20 ms
_MARGIN = 15.9  # dB below the active level, where P.56 draws the line between speech and none
_BAND = (300.0, 3400.0)  # Hz

_SAID = {
    "en-gb": "Good morning, I would like to pay my bill. Yes, I have the letter here in front of me. Could "
    "you say "
    "it again, please? My wife always does this, so bear with me while I find my glasses. Three hundred "
    "and ninety pounds, is that right?",
    "en-us+f3": "Hi there, thanks for calling me back. I'm on my cell, so the line may be bad. Okay, hold "
    "on, let me "
    "get my wallet. No, that one has expired, here is the new one. Do you want me to go ahead and start "
    "now?",
    "de+m3": "Guten Tag, ich möchte meine Rechnung bezahlen. Einen Augenblick, ich hole nur schnell meine "
    "Brille. "
    "Ja, jetzt habe ich die Karte hier. Soll ich die Nummer schon eingeben? Das dauert ein wenig, bitte "
    "haben Sie Geduld.",
    "fr+f2": "Bonjour madame, je vous appelle pour payer ma facture. Attendez un instant, je cherche ma "
    "carte. "
    "Voilà, je l'ai trouvée. Est-ce que je peux commencer maintenant? Oui, très bien, merci beaucoup.",
    "es+m5": "Buenos días, quería pagar el recibo de este mes. Espere un momento, por favor, que busco la "
    "tarjeta. "
    "Ya la tengo aquí conmigo. ¿Puedo empezar a marcar los números? Muy bien, muchas gracias.",
    "pl+f4": "Dzień dobry, chciałbym zapłacić rachunek. Proszę chwilę poczekać, szukam karty. Tak, już mam "
    "ją "
    "przed sobą. Czy mogę teraz wpisać numer? Dobrze, dziękuję bardzo.",
    "ru+m2": "Добрый день, я хочу оплатить счёт. Подождите, пожалуйста, я ищу карту. Да, вот она, можно "
    "начинать? "
    "Спасибо большое.",
    "it+f5": "Buongiorno, vorrei pagare la bolletta. Un momento, cerco la carta di credito. Eccola qui, "
    "posso "
    "cominciare a digitare il numero? Va bene, grazie mille, arrivederci.",
}
ESPEAK = tuple(f"espeak:{voice}" for voice in _SAID)
ASTERISK = ("asterisk:en_US_f_Allison", "asterisk:es_MX_f_Allison")
VOICES = ESPEAK + ASTERISK
# Chose no threshold.
HELD_OUT = (
    "asterisk:fr_CA_f_June",
    "asterisk:it_IT_m_Carlo",
    "asterisk:ru_RU_f_IvrvoiceRU",
)


@functools.cache
def voice(name: str, most: int = _PROMPTS) -> Floats:
    """Half a minute or more of one voice at 8 kHz, telephone band, without pauses, at an active
    level of 0 dBm0. `most`: prompts of one language, spread over all of them."""
    kind, _, which = name.partition(":")
    samples = _band(_synthesised(which) if kind == "espeak" else _prompts(SOUNDS / which, most))
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud = (frames**2).mean(1) > active_power(samples) * 10 ** (-_MARGIN / 10)
    quiet_for = np.zeros(len(loud), int)
    for index in range(1, len(loud)):
        quiet_for[index] = 0 if loud[index] else quiet_for[index - 1] + 1
    kept = frames[quiet_for * 20 <= 200].ravel()
    return np.asarray(kept * (PEAK_0DBM0 / np.sqrt(2 * active_power(kept))))


def talk(random: np.random.Generator, samples: int, voices: tuple[str, ...] = VOICES) -> Floats:
    """So many samples of somebody who talks on and on, at an active level of 0 dBm0."""
    parts: list[Floats] = []
    while sum(map(len, parts)) < samples:
        whole = voice(voices[random.integers(len(voices))])
        start = int(random.integers(len(whole)))
        after = whole[start : start + 10 * RATE]
        parts.append(np.concatenate([after, whole[: min(start, 10 * RATE - len(after))]]))
    return np.concatenate(parts)[:samples] if parts else np.zeros(0)


def active_power(samples: Floats) -> float:
    """Mean square over frames of 20 ms within 15.9 dB of the result itself; the same for a voice
    with pauses and without."""
    power = (samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME) ** 2).mean(1)
    level = float(power.mean())
    for _ in range(8):
        level = float(power[power > level * 10 ** (-_MARGIN / 10)].mean())
    return level


def _synthesised(name: str) -> Floats:
    command = ["espeak-ng", "-v", name, "--stdout", _SAID[name]]
    return _read(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def _prompts(folder: Path, most: int) -> Floats:
    files = sorted(
        path
        for path in folder.rglob("*.wav")
        if not any(word in str(path.relative_to(folder)) for word in _TONES)
    )
    if not files:
        raise FileNotFoundError(
            f"no prompts in {folder}: the asterisk-core-sounds packages of the Makefile are missing"
        )
    return np.concatenate([_read(path.read_bytes()) for path in files[:: max(1, len(files) // most)]])


def _read(file: bytes) -> Floats:
    """A WAV file's samples at 8 kHz. (espeak-ng writes a length that it does not know yet: what is
    there counts.)"""
    with wave.open(io.BytesIO(file)) as source:
        rate = source.getframerate()
        samples = np.frombuffer(source.readframes(len(file)), "<i2").astype(np.float64)
    if rate == RATE:
        return samples
    return np.asarray(np.fft.irfft(np.fft.rfft(samples), len(samples) * RATE // rate) * (RATE / rate))


def _band(samples: Floats) -> Floats:
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[(frequencies < _BAND[0]) | (frequencies > _BAND[1])] = 0
    return np.asarray(np.fft.irfft(spectrum, len(samples)))
