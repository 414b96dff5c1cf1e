"""A camera that stutters is shown: nothing of what comes after a short gap is thrown away."""

from base64 import b64encode
from dataclasses import replace

from playwright.async_api import Browser

from publisher.media.fragments import Fragments
from publisher.media.packets import SECOND
from publisher.media.tracks import tracks_of
from publisher.media.units import AccessUnit
from tests.support.browser import visitor
from tests.support.films import film

GAP = 0.3  # seconds

# How long each range is that a player has after it was given these segments.
APPEND = """async ([segments, mime]) => {
    const source = new MediaSource();
    const url = URL.createObjectURL(source);
    document.body.append(Object.assign(document.createElement('video'), { src: url }));
    await new Promise((opened) => { source.onsourceopen = opened; });
    const buffer = source.addSourceBuffer(mime);
    buffer.appendBuffer(Uint8Array.from(atob(segments), (letter) => letter.charCodeAt(0)));
    await new Promise((done) => { buffer.onupdateend = done; });
    const { buffered } = buffer;
    return Array.from({ length: buffered.length }, (_, i) => buffered.end(i) - buffered.start(i));
}"""


def stuttering() -> list[AccessUnit]:
    """Two seconds of one group of pictures, with a gap in the middle."""
    units = film(seconds=2.0, gop=60, sound=False).pictures
    late = round(GAP * SECOND)
    return units[:30] + [replace(u, pts=u.pts + late, dts=u.dts + late) for u in units[30:]]


async def test_pictures_after_a_short_gap_are_kept_without_a_key_frame(chromium: Browser) -> None:
    fragments = Fragments()
    fragments.use(tracks_of(film(seconds=0.1, gop=60, sound=False).media))
    for unit in stuttering():
        fragments.add(unit)
    generation = fragments[0].generation
    data = generation.init + b"".join(fragments[n].data for n in range(fragments.end))
    async with visitor(chromium) as context:
        page = await context.new_page()
        ranges = await page.evaluate(APPEND, [b64encode(data).decode(), generation.mime])
    assert [round(seconds, 2) for seconds in ranges] == [2.0 + GAP]
