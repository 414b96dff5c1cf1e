"""Coded pictures as a decoder can begin with them: Annex B, with all parameter sets where needed.

The pictures stay as the camera made them, bit for bit. What is added are the parameter sets
before a key frame that came without them (many cameras put them into the SDP only, where no
browser looks), and what is taken away is only the framing: length prefixes become start codes.
"""

from dataclasses import dataclass

from publisher.media import h264, hevc
from publisher.media.bitstream import MalformedError, join_annex_b
from publisher.media.syntax import Sps

SYNTAXES = {"h264": h264.SYNTAX, "hevc": hevc.SYNTAX}


@dataclass(frozen=True, slots=True)
class Assembled:
    """One picture."""

    data: bytes
    key: bool
    b_slices: bool


class Assembler:
    """Completes the pictures of one stream, and knows its parameter sets."""

    def __init__(self, codec: str, extradata: bytes) -> None:
        """Raises MalformedError; KeyError for a codec that is not among the syntaxes."""
        self._syntax = SYNTAXES[codec]
        self._configuration = self._syntax.configuration(extradata)
        self.parameter_sets = self._configuration.parameter_sets
        self.sps = self._first_sps()
        self.malformed = 0

    @property
    def name(self) -> str:
        """The codec's name."""
        return self._syntax.name

    def take(self, data: bytes) -> Assembled | None:
        """The picture of a packet; None when there is nothing to show in it."""
        syntax, nals = self._syntax, self._split(data)
        kinds = set(map(syntax.nal_type, nals))
        if not kinds.isdisjoint(syntax.parameter_sets):
            self._remember(nals)
        if not any(map(syntax.is_picture, kinds)):
            return None
        key = any(map(syntax.is_key, kinds))
        if key:
            nals = self._complete(nals, kinds)
        return Assembled(join_annex_b(nals), key, any(map(self._is_b_slice, nals)))

    def _split(self, data: bytes) -> list[bytes]:
        try:
            return self._configuration.split(data)
        except MalformedError:
            self.malformed += 1
            return []

    def _remember(self, nals: list[bytes]) -> None:
        nal_type = self._syntax.nal_type
        for kind in self._syntax.parameter_sets:
            found = tuple(nal for nal in nals if nal_type(nal) == kind)
            if found:
                others = tuple(nal for nal in self.parameter_sets if nal_type(nal) != kind)
                # They refer to each other in the order of their types.
                self.parameter_sets = tuple(sorted(others + found, key=nal_type))
        self.sps = self._first_sps() or self.sps

    def _first_sps(self) -> Sps | None:
        for nal in self.parameter_sets:
            if self._syntax.nal_type(nal) == self._syntax.sps:
                try:
                    return self._syntax.parse_sps(nal)
                except MalformedError:
                    return None
        return None

    def _complete(self, nals: list[bytes], kinds: set[int]) -> list[bytes]:
        """All parameter sets go first, behind an access unit delimiter (H.264 §7.4.1.2.3)."""
        missing = set(self._syntax.parameter_sets) - kinds
        nal_type = self._syntax.nal_type
        added = [nal for nal in self.parameter_sets if nal_type(nal) in missing]
        if not added:
            return nals
        first = {self._syntax.delimiter, *self._syntax.parameter_sets}
        delimiter = [nal for nal in nals if nal_type(nal) == self._syntax.delimiter]
        sets = [nal for nal in nals if nal_type(nal) in self._syntax.parameter_sets]
        rest = [nal for nal in nals if nal_type(nal) not in first]
        return [*delimiter, *sorted(sets + added, key=nal_type), *rest]

    def _is_b_slice(self, nal: bytes) -> bool:
        try:
            return self._syntax.is_b_slice(nal)
        except MalformedError:
            return False
