"""Everything that touches aiortc and aioice; the rest of the publisher speaks of peers."""
