"""From an address to the source that reads it."""

from publisher.sources.address import Address
from publisher.sources.devices import Devices
from publisher.sources.file import LoopingFile
from publisher.sources.http import HttpCamera
from publisher.sources.rtsp.camera import RtspCamera
from publisher.sources.source import Source
from publisher.sources.test_camera import TestCamera


def source_for(address: Address, *, rtsp_transport: str = "tcp") -> Source:
    """The source of an address that ``Address.parse`` accepted."""
    if address.scheme in ("rtsp", "rtsps"):
        return RtspCamera(address, transport=rtsp_transport)
    if address.scheme in ("http", "https"):
        return HttpCamera(address)
    if address.scheme == "file":
        return LoopingFile(address.path)
    if address.scheme == "v4l2":
        return Devices(address)
    return TestCamera(address.shown)
