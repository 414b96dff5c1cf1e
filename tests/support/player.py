"""The player in a page, as a test sees it."""

from dataclasses import dataclass
from typing import Any

from tests.support.probe import Page
from tests.support.waiting import PATIENCE, until

_PLAYER = "document.querySelector('porthole-player')"
_FRAMES = f"{_PLAYER}?.video.getVideoPlaybackQuality().totalVideoFrames ?? 0"


@dataclass(frozen=True, slots=True)
class Player:
    """Reads the element `porthole-player` of a page."""

    page: Page

    async def words(self) -> str:
        """What the page tells its visitor right now."""
        words = await self.page.evaluate(f"{_PLAYER}?.words")
        return " ".join(words[k] for k in ("chip", "title", "detail")) if words else ""

    async def says(self, text: str, within: float = PATIENCE) -> None:
        """Waits until the page says something that holds the text."""
        try:
            await until(lambda: self._says(text), within)
        except TimeoutError:
            said = await self.words()
            raise AssertionError(f"The page does not say “{text}” but “{said}”.") from None

    async def _says(self, text: str) -> bool:
        return text in await self.words()

    async def live(self, within: float = PATIENCE) -> None:
        """Waits for a moving picture."""
        await self.says("Live", within)
        await self.moves(within)

    async def frames(self) -> int:
        """Pictures that the current connection has shown."""
        return int(await self.page.evaluate(_FRAMES))

    async def moves(self, within: float = PATIENCE) -> None:
        """Waits for ten more pictures, or as many of another connection."""
        before = await self.frames()
        await until(lambda: self._ten_more_than(before), within)

    async def _ten_more_than(self, before: int) -> bool:
        now = await self.frames()
        return now > before + 10 or 10 < now < before

    async def stream(self) -> str:
        """The name of the stream on the screen: another connection brings another one."""
        return str(
            await self.page.evaluate(f"{_PLAYER}.video.srcObject?.id ?? {_PLAYER}.video.src")
        )

    async def stats(self) -> dict[str, Any]:
        """The figures of the statistics panel."""
        return dict(await until(lambda: self.page.evaluate(f"{_PLAYER}.stats()")))

    async def shows_last_frame(self) -> bool:
        """Whether a picture is on the screen, running or kept."""
        return bool(
            await self.page.evaluate(f"""() => {{
                const player = {_PLAYER};
                const stage = player.shadowRoot.querySelector('.stage');
                const still = player.shadowRoot.querySelector('.still');
                if (stage.matches('.has-still')) return still.width > 0;
                return stage.matches('.has-picture') && player.video.videoWidth > 0;
            }}""")
        )
