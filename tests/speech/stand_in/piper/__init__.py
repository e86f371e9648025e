"""Stands in for Piper, whose voices are large files: says a tone, as long as the text."""

import json
from array import array
from dataclasses import dataclass
from math import sin, tau
from pathlib import Path

HERTZ, RATE = 700, 22_050


@dataclass
class AudioChunk:
    sample_rate: int
    audio_int16_bytes: bytes


class PiperVoice:
    @staticmethod
    def load(file):
        if json.loads(Path(f"{file}.json").read_text()) != {"voice": "whole"}:
            raise RuntimeError("the voice is damaged")
        return PiperVoice()

    def synthesize(self, text):
        for sentence in text.split("."):
            if sentence.strip():
                count = RATE // 20 * len(sentence)
                samples = array(
                    "h", [int(8000 * sin(tau * HERTZ * n / RATE)) for n in range(count)]
                )
                yield AudioChunk(RATE, samples.tobytes())
