"""How long to wait before the next try of a leg that was lost."""

import random
from dataclasses import dataclass, field

PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds: at once, then growing to the cap."""
JITTER = 0.2
"""Share by which a pause varies, so that sixty meetings do not knock at one door together."""
GOOD_AFTER = 60.0
"""Seconds of data after which the next loss counts as the first again."""


@dataclass(slots=True)
class Reconnect:
    """The tries of one leg. Pure: the caller brings the seconds that data flowed."""

    pauses: tuple[float, ...] = PAUSES
    dice: random.Random = field(default_factory=random.Random)
    failures: int = 0

    def lost(self, good_for: float) -> float:
        """Seconds to wait now that the leg was lost after `good_for` seconds of data."""
        if good_for >= GOOD_AFTER:
            self.failures = 0
        pause = self.pauses[min(self.failures, len(self.pauses) - 1)]
        self.failures += 1
        return pause * self.dice.uniform(1 - JITTER, 1 + JITTER)

    def reset(self) -> None:
        """A person asked for a restart: begin again at once."""
        self.failures = 0
