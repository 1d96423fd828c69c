"""Chance that depends on nothing but the seed and the question: leaving a question out does not shift the others."""

from __future__ import annotations

import hashlib
import math

from infra.lab.simulation.units import STEP
from infra.lab.simulation.world import FAULTS

_MASK = (1 << 64) - 1


def mix(number: int) -> int:
    """Scatter a number over 64 bits (the SplitMix64 generator: Steele, Lea, Flood, OOPSLA 2014)."""
    number = (number * 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)


def seed_of(*parts: object) -> int:
    """Make a seed of whatever names a part of the simulation."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8])


class Try:
    """Read what chance has in store for one try of one run out of 64 bits; each number has bits of its own.

    An int is carried about, not an object: a thousand years are ten million tries.
    """

    WHOLE = 1 << 20

    @staticmethod
    def draw(seed: int, refresher: int, tick: int, attempt: int) -> int:
        """Draw the bits of one try."""
        return mix(seed ^ (tick << 8 | attempt << 4 | refresher))

    @staticmethod
    def failure(bits: int) -> int:
        """Give a number from 0 up to WHOLE; the try fails where it is below the failure rate's share of WHOLE."""
        return bits & 0xFFFFF

    @staticmethod
    def fault(bits: int) -> str:
        """Give the step at which it fails, if it does."""
        return FAULTS[(bits >> 20 & 0xFFF) % len(FAULTS)]

    @staticmethod
    def delay(bits: int, low: int, high: int) -> int:
        """Give how late it starts, from low up to, not including, high, in steps."""
        return low + ((high - low) // STEP * (bits >> 32 & 0xFFFF) >> 16) * STEP

    @staticmethod
    def wait(bits: int, low: int, high: int) -> int:
        """Give how long the wait for the next try is, from low up to, not including, high, in steps."""
        return low + ((high - low) // STEP * (bits >> 48) >> 16) * STEP


class Draws:
    """Draw one number after another.

    :param seed: where to start.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._count = 0

    def uniform(self, low: float, high: float) -> float:
        """Draw from low up to, not including, high."""
        self._count += 1
        return low + (high - low) * mix(self._seed + self._count) / (1 << 64)

    def exponential(self, mean: float) -> float:
        """Draw the time to the next of events that come by chance."""
        return -mean * math.log(1 - self.uniform(0, 1))

    def choice(self, options: tuple[str, ...]) -> str:
        """Draw one of the options."""
        return options[int(self.uniform(0, len(options)))]
