"""The player in a real browser, before a rendezvous that does what the test says."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, expect

from tests.support.browser import PATIENT, browser
from tests.support.scripted_rendezvous import ScriptedRendezvous
from tests.support.waiting import PATIENCE, until

expect.set_options(timeout=1000 * PATIENCE)

SECRET = "dmlld2VyLXNlY3JldC0wMQ"
BUTTONS = (
    "Sound on",
    "Statistics",
    "Picture in picture",
    "Full screen",
    "Copy link",
    "Tap to hear",
)

PLAYER = "document.querySelector('porthole-player')"
FRAMES = f"{PLAYER}.video.getVideoPlaybackQuality().totalVideoFrames"
MORE_FRAMES = f"(before) => {FRAMES} > before + 10"
EMBEDDED = (
    '<!doctype html><script type="module" src="{url}/porthole-player.js"></script>'
    f'<porthole-player room="MyRoom" secret="{SECRET}"></porthole-player>'
)
OBSERVE = f"""() => {{
  window.written = [];
  const status = {PLAYER}.shadowRoot.querySelector('.status');
  const note = (changes) => written.push(...changes.map(({{ target }}) => target.className));
  new MutationObserver(note).observe(status, {{ subtree: true, childList: true }});
}}"""
RING = """() => {
  let focused = document.activeElement;
  while (focused.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(focused);
  return focused === document.body || (outlineStyle === 'solid' && outlineWidth === '3px');
}"""
STILL = """() => {
  const still = document.querySelector('porthole-player').shadowRoot.querySelector('.still');
  const [r, g, b] = still.getContext('2d').getImageData(5, 5, 1, 1).data;
  return { shown: getComputedStyle(still).opacity === '1', lit: r + g + b > 100 };
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def rendezvous() -> AsyncIterator[ScriptedRendezvous]:
    """A rendezvous with a live camera, unless the test says otherwise."""
    server = ScriptedRendezvous()
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, which decodes H.264."""
    async with browser() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def page(chromium: Browser) -> AsyncIterator[Page]:
    """A page that must not throw."""
    page = await chromium.new_page(viewport={"width": 1000, "height": 700})
    page.set_default_timeout(1000 * PATIENCE)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    await page.close()
    assert errors == []


async def watch(page: Page, server: ScriptedRendezvous) -> None:
    """Opens the link of the scripted camera."""
    await page.goto(f"{server.url}/#MyRoom.{SECRET}")


def status(page: Page) -> Locator:
    """What a screen reader is told."""
    return page.locator("porthole-player").get_by_role("status")


async def says(page: Page, words: str) -> None:
    """Waits until the player says so."""
    await expect(status(page)).to_contain_text(words)


async def test_every_state_is_said_in_words(page: Page, rendezvous: ScriptedRendezvous) -> None:
    """From a wrong link over waiting to a live picture that is lost, stalls and comes back."""
    rendezvous.mode = "unknown"
    await watch(page, rendezvous)
    await says(page, "No camera under this link yet")
    rendezvous.mode = "waiting"
    await says(page, "Waiting for the camera")
    await rendezvous.admit()
    await says(page, "Live")
    await expect(page).to_have_title("Live · MyRoom – Porthole")
    await rendezvous.set_source("lost", "source_unreachable", "Nothing answers at 192.0.2.9:554.")
    await says(page, "The camera does not answer")
    await says(page, "Nothing answers at 192.0.2.9:554.")
    await rendezvous.set_source("live")
    await says(page, "Live")
    rendezvous.cameras[-1].picture.flows.clear()
    await says(page, "The picture has stalled")
    rendezvous.cameras[-1].picture.flows.set()
    await says(page, "Live")


async def test_an_unplayable_camera_is_named_with_its_cure(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """Never a silent black picture; a page around the player hears of it too."""
    await page.add_init_script(
        "addEventListener('porthole-error', (event) => (window.told = event.detail.code))"
    )
    rendezvous.source = {"state": "unplayable", "code": "b_frames", "message": "Set B-frames to 0."}
    await watch(page, rendezvous)
    await says(page, "This camera sends B-frames")
    await says(page, "Set B-frames to 0.")
    assert await page.evaluate("window.told") == "b_frames"


async def test_a_browser_without_h264_says_so(page: Page, rendezvous: ScriptedRendezvous) -> None:
    """When the camera has no other way: it is told what to do, and its place is free again."""
    await page.add_init_script("RTCRtpReceiver.getCapabilities = () => ({ codecs: [] })")
    await watch(page, rendezvous)
    await says(page, "This browser cannot show H.264")
    assert await until(lambda: rendezvous.heard[-1].get("reason")) == "no_h264"
    assert [message["type"] for message in rendezvous.heard] == ["hello", "join", "end"]


async def test_lost_media_comes_back_and_keeps_the_last_frame(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """The camera's transport closes without a word; the picture stays until the next one."""
    await watch(page, rendezvous)
    await says(page, "Live")
    rendezvous.mode = "waiting"
    await rendezvous.unplug()
    await says(page, "Waiting for the camera")
    assert await page.evaluate(STILL) == {"shown": True, "lit": True}
    await rendezvous.admit()
    await says(page, "Live")
    await page.wait_for_function(f"!({STILL})().shown")
    await page.wait_for_function(MORE_FRAMES, arg=await page.evaluate(FRAMES))


async def test_a_camera_that_was_stopped_is_waited_for(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """The ending is named, and the wait for the camera goes on by itself."""
    await watch(page, rendezvous)
    await says(page, "Live")
    rendezvous.mode = "waiting"
    await rendezvous.tell(
        {"type": "end", "session": rendezvous.session, "reason": "camera_stopped"}
    )
    await says(page, "The camera was stopped")
    await rendezvous.admit()
    await says(page, "Live")


@pytest.mark.parametrize("knows_sessions", [True, False], ids=["lost", "restarted"])
async def test_signalling_that_is_lost_does_not_touch_the_picture(
    page: Page, rendezvous: ScriptedRendezvous, *, knows_sessions: bool
) -> None:
    """The server goes and returns, with or without its memory: pictures flow, live throughout."""
    await page.add_init_script(PATIENT)
    await page.add_init_script(
        "window.told = []; addEventListener('porthole-state',"
        " ({ detail: { state, chip } }) => told.push([state, chip]))"
    )
    await watch(page, rendezvous)
    await says(page, "Live")
    rendezvous.knows_sessions = knows_sessions
    await rendezvous.refuse()
    await page.wait_for_function(MORE_FRAMES, arg=await page.evaluate(FRAMES))
    await rendezvous.listen()
    await rendezvous.hears("resume")
    await page.wait_for_function(MORE_FRAMES, arg=await page.evaluate(FRAMES))
    assert rendezvous.heard_types().count("resume") == 1
    assert rendezvous.heard_types().count("join") == 1
    # The first picture may be shown before the browser says that it is connected.
    told = await page.evaluate("told")
    assert told.index(["playing", "Live"]) == len(told) - 1
    await says(page, "Live")


async def test_a_camera_that_is_gone_to_the_server_alone_stays_live(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """The server gives the session up; its pictures flow, and only their end is one."""
    await watch(page, rendezvous)
    await says(page, "Live")
    rendezvous.mode = "waiting"
    await rendezvous.tell({"type": "end", "session": rendezvous.session, "reason": "camera_gone"})
    await page.wait_for_function(MORE_FRAMES, arg=await page.evaluate(FRAMES))
    await says(page, "Live")
    await rendezvous.unplug()
    await says(page, "Waiting for the camera")


async def test_what_the_camera_does_is_said_again_after_a_resume(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """It was lost while signalling was away: the reason is shown, not only a still picture."""
    await watch(page, rendezvous)
    await says(page, "Live")
    rendezvous.source = {"state": "lost", "code": "source_unauthorized", "message": ""}
    await rendezvous.drop()
    await says(page, "The camera refuses the password")


async def test_everything_has_a_name_and_a_size_for_fingers(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """At 320 px, the narrowest that WCAG 2.2 asks for (1.4.10), with targets of 44 px (2.5.5)."""
    await page.set_viewport_size({"width": 320, "height": 640})
    await watch(page, rendezvous)
    await says(page, "Live")
    await expect(page.get_by_role("group", name="Camera MyRoom")).to_be_visible()
    for name in BUTTONS:
        box = await page.get_by_role("button", name=name).bounding_box()
        assert box, name
        assert min(box["width"], box["height"]) >= 44, name
        assert box["x"] >= 0, name
        assert box["x"] + box["width"] <= 320, name
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320


async def test_a_room_of_a_key_is_shown_short_and_read_whole(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """32 characters say nothing to the eye; a screen reader and the tooltip have them all."""
    room = "k7q2mzr4t5xw3ya6bcde2fgh7ijl4mno"
    await page.goto(f"{rendezvous.url}/#{room}")
    heading = page.get_by_role("heading", name=room)
    await expect(heading).to_have_text("k7q2mz…jl4mno")
    await expect(heading).to_have_attribute("title", room)
    await expect(page.locator("#copy-note")).to_contain_text("public")


async def test_the_status_is_written_once_for_each_state(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """A screen reader reads whatever is written to it, also when the words are the same."""
    await page.add_init_script(PATIENT)
    await watch(page, rendezvous)
    await says(page, "Live")
    await page.keyboard.press("s")
    await page.evaluate(OBSERVE)
    panel = page.get_by_role("region", name="Statistics")
    for _ in range(2):
        await panel.locator("dl").evaluate("(list) => list.replaceChildren()")
        await expect(panel).to_contain_text("640 × 360")
    assert await page.evaluate("window.written") == []
    await rendezvous.set_source("lost", "source_unreachable")
    await says(page, "The camera does not answer")
    assert await page.evaluate("window.written.filter((word) => word === 'word').length") == 1


async def test_everything_that_takes_the_focus_has_a_name(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """As the accessibility tree tells it, and with a ring that can be seen."""
    await watch(page, rendezvous)
    await expect(page.get_by_role("button", name="Tap to hear")).to_be_visible()
    client = await page.context.new_cdp_session(page)
    nodes = (await client.send("Accessibility.getFullAXTree"))["nodes"]
    focusable = [node for node in nodes if _property(node, "focusable")]
    assert len(focusable) >= 9
    assert [node for node in focusable if not node["name"]["value"]] == []
    for _ in range(8):
        await page.keyboard.press("Tab")
        assert await page.evaluate(RING)


def _property(node: dict[str, Any], name: str) -> Any:
    properties = node.get("properties", [])
    return next((p["value"]["value"] for p in properties if p["name"] == name), None)


async def test_nothing_shines_through_in_high_contrast(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """Forced colours keep a background's transparency: text over a picture would drown."""
    await page.emulate_media(forced_colors="active")
    await watch(page, rendezvous)
    await says(page, "Live")
    for selector in (".chip", ".bar button", ".call"):
        element = page.locator(f"porthole-player {selector}").first
        colour = await element.evaluate("(element) => getComputedStyle(element).backgroundColor")
        assert colour.startswith("rgb("), selector


async def test_the_big_button_leaves_also_where_nothing_may_move(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """It goes by an animation, which the wish for less motion must not keep from ending."""
    await page.emulate_media(reduced_motion="reduce")
    await watch(page, rendezvous)
    hear = page.get_by_role("button", name="Tap to hear")
    await expect(hear).to_be_visible()
    await page.locator("porthole-player .call").evaluate(
        "(call) => call.getAnimations().forEach((animation) => animation.finish())"
    )
    await expect(hear).to_be_hidden()


async def test_keys_and_the_big_button_work(page: Page, rendezvous: ScriptedRendezvous) -> None:
    """M and the button for sound, S for real figures, F for the whole screen."""
    await watch(page, rendezvous)
    await page.get_by_role("button", name="Tap to hear").click()
    await expect(page.get_by_role("button", name="Sound off")).to_be_visible()
    await page.keyboard.press("m")
    await expect(page.get_by_role("button", name="Sound on")).to_be_visible()
    await page.keyboard.press("s")
    panel = page.get_by_role("region", name="Statistics")
    await expect(panel).to_contain_text("640 × 360")
    await expect(panel).to_contain_text("Direct · UDP")
    await page.evaluate(f"{PLAYER}.stop()")
    await expect(panel).to_contain_text("Picture–")
    await page.evaluate(f"{PLAYER}.start()")
    await expect(panel).to_contain_text("640 × 360")
    await page.keyboard.press("f")
    await expect(page.get_by_role("button", name="Leave full screen")).to_be_visible()
    await page.keyboard.press("f")
    await expect(page.get_by_role("button", name="Full screen", exact=True)).to_be_visible()


async def test_a_picture_that_the_browser_holds_can_be_started(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """Browsers pause videos to save power; a held picture is not called live."""
    await page.add_init_script(PATIENT)
    await watch(page, rendezvous)
    await says(page, "Live")
    await page.evaluate("document.querySelector('porthole-player').video.pause()")
    await says(page, "Paused")
    await page.get_by_role("button", name="Tap to play").click()
    await says(page, "Live")


async def test_whoever_goes_says_so_and_is_live_again_on_return(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """The camera need not wait for a time-out to free the place."""
    await watch(page, rendezvous)
    await says(page, "Live")
    await page.goto(f"{rendezvous.url}/favicon.svg")
    await rendezvous.hears("end")
    (end,) = (message for message in rendezvous.heard if message["type"] == "end")
    assert end["reason"] == "left"
    await page.go_back()
    await says(page, "Live")


async def test_the_page_decides_whether_to_watch(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """Only ``start`` ends a ``stop``; what changes nothing, or moves the player, ends nothing."""
    await page.add_init_script(PATIENT)
    await watch(page, rendezvous)
    await says(page, "Live")
    await page.evaluate(f"{PLAYER}.room = 'MyRoom'; {PLAYER}.secret = '{SECRET}'")
    await page.wait_for_function(MORE_FRAMES, arg=await page.evaluate(FRAMES))
    assert rendezvous.heard_types().count("join") == 1
    await page.evaluate(f"{PLAYER}.stop()")
    for change in (
        "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))",
        f"{PLAYER}.room = 'Another'",
        f"document.body.append({PLAYER})",
    ):
        await page.evaluate(change)
        await page.evaluate("new Promise((resolve) => setTimeout(resolve))")
        assert await page.evaluate(f"{PLAYER}.state") == "idle", change
    await page.evaluate(f"{PLAYER}.start()")
    await says(page, "Live")
    await page.evaluate(f"document.body.prepend({PLAYER})")
    await says(page, "Live")
    assert [m["room"] for m in rendezvous.heard if m["type"] == "join"] == [
        "MyRoom",
        "Another",
        "Another",
    ]


async def test_a_page_without_controls_shows_none(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """The big button goes at once, with ``controls`` and with ``muted``, and comes back."""
    await watch(page, rendezvous)
    hear = page.get_by_role("button", name="Tap to hear")
    for name in ("controls", "muted"):
        await expect(hear).to_be_visible()
        await page.evaluate(f"{PLAYER}.setAttribute('{name}', 'off')")
        await expect(hear).to_be_hidden()
        await page.evaluate(f"{PLAYER}.removeAttribute('{name}')")
    await expect(hear).to_be_visible()


async def test_another_site_embeds_the_player_and_its_markup_keeps_no_secret(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """One script and one element; the secret goes neither to the server nor into the page."""
    rendezvous.site = EMBEDDED.format(url=rendezvous.url)
    # Another name is another origin; a real other site would need the visitor's permission to
    # reach the loopback at all (Local Network Access).
    await page.goto(f"{rendezvous.url.replace('127.0.0.1', 'localhost')}/site.html")
    await says(page, "Live")
    assert SECRET not in await page.content()
    assert SECRET not in str(rendezvous.heard)


async def test_a_site_that_the_server_does_not_know_is_told_of_the_option(
    page: Page, rendezvous: ScriptedRendezvous
) -> None:
    """The server's 403 is hidden from scripts: the network is not to blame alone."""
    rendezvous.allows_others = False
    rendezvous.site = EMBEDDED.format(url=rendezvous.url)
    await page.goto(f"{rendezvous.url.replace('127.0.0.1', 'localhost')}/site.html")
    await says(page, "--allow-origin")
    rendezvous.allows_others = True
    await says(page, "Live")


async def test_a_link_can_be_pasted(page: Page, rendezvous: ScriptedRendezvous) -> None:
    """The start page takes a whole link, and says so when it is none."""
    await page.goto(rendezvous.url)
    await page.get_by_label("Link or room").fill("http://x/#not a room")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("not a link")
    await page.get_by_label("Link or room").fill(f"http://elsewhere:4545/#MyRoom.{SECRET}")
    await page.get_by_role("button", name="Watch").click()
    await says(page, "Live")
