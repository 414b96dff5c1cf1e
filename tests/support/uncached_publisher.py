"""The command `publisher` without its GOP cache, to measure what the cache is good for.

python -m tests.support.uncached_publisher start …
"""

from publisher.__main__ import main
from publisher.media.gop import GopCache
from publisher.media.units import AccessUnit


def _nothing(self: GopCache) -> tuple[AccessUnit, ...]:
    del self
    return ()


if __name__ == "__main__":
    GopCache.units = _nothing  # type: ignore[method-assign]
    main()
