"""The player's files, read once at the start and served from memory; headers that bind the page.

The page may run its own scripts and styles, talk to its own server, and play media: nothing else.
It may be framed by its own origin and those of ``--allow-origin``. Its modules may be imported by
pages anywhere (they hold no secret); whether such a page may talk to this server is decided by the
Origin of its WebSocket.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from rendezvous.program.errors import UnavailableError

_PACKAGE = Path(__file__).parents[1]
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Page:
    """One file, ready to be sent."""

    body: bytes
    content_type: str
    etag: str


class Pages:
    """All files of the player, by the path under which they are served."""

    def __init__(self, root: Path, *, framed_by: Sequence[str] = ()) -> None:
        self._pages = dict(_read(root))
        for path in [path for path in self._pages if path.endswith(".html")]:
            self._pages[path.removesuffix("index.html").removesuffix(".html")] = self._pages[path]
        self._headers = _headers(framed_by)

    def respond(self, request: web.BaseRequest) -> web.Response:
        """The file, or that it has not changed, or that there is none."""
        page = self._pages.get(request.path)
        if page is None:
            return web.Response(status=404, text="There is nothing here.\n", headers=self._headers)
        headers = {**self._headers, "ETag": f'"{page.etag}"', "Cache-Control": "no-cache"}
        if any(tag.value == page.etag for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        charset = "utf-8" if page.content_type.startswith("text/") else None
        return web.Response(
            body=page.body, content_type=page.content_type, charset=charset, headers=headers
        )


def player_files() -> Path:
    """Where the player's files are: beside this package, in a source tree and a wheel alike.

    Raises UnavailableError when they are not. Nothing is imported: another module of that name
    would be run.
    """
    folder = _PACKAGE.with_name("player")
    if not (folder / "index.html").is_file():
        raise UnavailableError(
            "player_missing",
            f"The player's files are not in {folder}.",
            "Install Porthole as a whole again.",
        )
    return folder


def _read(folder: Path, path: str = "/") -> Iterator[tuple[str, Page]]:
    for entry in sorted(folder.iterdir()):
        suffix = f".{entry.name.rpartition('.')[2]}"
        if entry.is_dir() and not entry.name.startswith((".", "_", "node_modules")):
            yield from _read(entry, f"{path}{entry.name}/")
        elif entry.is_file() and suffix in _TYPES:
            body = entry.read_bytes()
            etag = hashlib.sha256(body).hexdigest()[:32]
            yield path + entry.name, Page(body, _TYPES[suffix], etag)


def _headers(framed_by: Iterable[str]) -> dict[str, str]:
    framers = " ".join(("'self'", *framed_by))
    policy = (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",  # constructed style sheets, as the element's, are scripts' doing
        "img-src 'self' data: blob:",
        "media-src 'self' blob: mediastream:",
        "connect-src 'self'",  # 'self' covers WebSocket to the same host (CSP 3)
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        f"frame-ancestors {framers}",
    )
    return {
        "Content-Security-Policy": "; ".join(policy),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }
