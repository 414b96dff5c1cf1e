"""A data channel that a viewer has opened to be sent media: bounded, and never blocking.

aiortc takes whatever it is given and keeps it in memory, so its sender asks for room first.
"""

from collections.abc import Callable

from aiortc import RTCDataChannel

SMALLEST_LIMIT = 1024  # bytes of a message that a viewer must take: what is said about the stream
MESSAGE_BYTES = 16 * 1024  # which every browser takes in one piece (RFC 8831 §6.6)
# What waits in aiortc before a slow network: it delays a key frame that comes to the rescue, so it
# is just enough to keep the network busy until there is room again.
ROOM_BYTES = 4 * MESSAGE_BYTES


class Channel:
    """The sending end."""

    def __init__(self, channel: RTCDataChannel) -> None:
        self._channel = channel
        # 0 means any (RFC 8841 §6.1); aiortc raises where a message is larger.
        limit = channel.transport._remote_max_message_size or MESSAGE_BYTES  # noqa: SLF001
        self._message_bytes = min(limit, MESSAGE_BYTES)
        channel.bufferedAmountLowThreshold = ROOM_BYTES // 2

    def watch(
        self,
        on_room: Callable[[], None],
        on_text: Callable[[str], None],
        on_close: Callable[[], None],
    ) -> None:
        """Calls back when there is room again, for texts of the viewer, and at the end."""

        def heard(data: str | bytes) -> None:
            if isinstance(data, str):
                on_text(data)

        self._channel.on("bufferedamountlow", on_room)
        self._channel.on("message", heard)
        self._channel.on("close", on_close)

    @property
    def has_room(self) -> bool:
        """Whether to send now; False also when the viewer has closed it."""
        return self._channel.readyState == "open" and self.buffered < ROOM_BYTES

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent."""
        return self._channel.bufferedAmount

    def send(self, message: str | bytes) -> None:
        """Sends when there is room; bytes go in as many messages as they need."""
        if isinstance(message, str):
            self._channel.send(message)
            return
        size = self._message_bytes
        for begin in range(0, len(message), size):
            self._channel.send(message[begin : begin + size])


class ChannelDoor:
    """Lets in the one channel that a leg waits for."""

    def __init__(self, label: str, protocol: str, on_open: Callable[[Channel], None]) -> None:
        self._name = (label, protocol)
        self._on_open = on_open
        self._open = False

    def lets_in(self, channel: RTCDataChannel) -> bool:
        """Whether it is the one, and the first; then it is open."""
        if self._open or (channel.label, channel.protocol) != self._name or _loses(channel):
            return False
        self._open = True
        self._on_open(Channel(channel))
        return True


def _loses(channel: RTCDataChannel) -> bool:
    """Whether messages may be lost or overtake each other."""
    limits = (channel.maxRetransmits, channel.maxPacketLifeTime)
    return not channel.ordered or limits != (None, None)
