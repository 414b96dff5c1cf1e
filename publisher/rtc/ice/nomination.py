"""Which nominated pair carries the media."""

import asyncio
from dataclasses import dataclass
from typing import Final

from aioice.ice import CandidatePair

from publisher.rtc.ice.urls import Transport

# Browsers check the pair that they have selected every 2.5 s or more often.
SILENCE_SECONDS: Final = 3.0


def is_relayed(pair: CandidatePair) -> bool:
    """Whether a TURN server stands between, at either side."""
    return "relay" in (pair.local_candidate.type, pair.remote_candidate.type)


@dataclass(frozen=True, slots=True)
class Route:
    """How media goes: over our TURN server, over the other side's, over both, or straight."""

    relayed: bool
    relay: Transport | None
    """How our own TURN server is reached, if media goes over one."""

    def __str__(self) -> str:
        if not self.relayed:
            return "direct"
        return f"relayed over {self.relay.name}" if self.relay is not None else "relayed"


def route_of(pair: CandidatePair) -> Route:
    """The route of the pair's packets."""
    return Route(is_relayed(pair), getattr(pair.local_candidate, "relay", None))


def outranks(pair: CandidatePair, other: CandidatePair) -> bool:
    """Whether the pair is worth a change of way: direct instead of relayed."""
    return is_relayed(other) and not is_relayed(pair)


class Nominations(dict[int, CandidatePair]):
    """The nominated pair of each component.

    The controlling side decides, and the last word counts, but for one case: with aggressive
    nomination (RFC 5245 §8.1.1.2, Firefox) every check nominates, and one that was relayed comes
    later than the direct one. So a relayed pair takes over only from a direct one that is silent.
    """

    def __init__(self) -> None:
        super().__init__()
        self._heard = 0.0

    def note_life(self) -> None:
        """The other side has just checked the nominated pair."""
        self._heard = asyncio.get_running_loop().time()

    def __setitem__(self, component: int, pair: CandidatePair) -> None:
        held = self.get(component)
        now = asyncio.get_running_loop().time()
        if held and outranks(held, pair) and now - self._heard < SILENCE_SECONDS:
            return
        if held is not pair:
            self._heard = now
        super().__setitem__(component, pair)
