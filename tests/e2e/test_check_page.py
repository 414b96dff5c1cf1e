"""The page /check in a real browser, against a real rendezvous and a real coturn."""

from typing import Any

from playwright.async_api import Browser, Page

from tests.support.browser import page_at
from tests.support.coturn import LOOPBACK, Coturn, running_coturn
from tests.support.peers import VIEWER_SECRET, Key, claim, connect
from tests.support.server import Running, running_server
from tests.support.waiting import until

ROOM = f"#Door.{VIEWER_SECRET}"


def servers(relay: Coturn, secret: str = "") -> dict[str, Any]:
    """Settings of a rendezvous that names this relay over UDP and TCP."""
    turn = (relay.url("udp"), relay.url("tcp"))
    return {"stun": (relay.stun_url,), "turn": turn, "turn_secret": secret or relay.secrets[0]}


async def checked(page: Page) -> dict[str, str]:
    """Each code with its verdict, when all steps have ended."""
    await page.wait_for_selector("#verdict:not([data-verdict=busy])")
    shown = "[...document.querySelectorAll('[data-code]')]"
    found = await page.evaluate(f"{shown}.map((e) => [e.dataset.code, e.dataset.verdict])")
    return dict(found)


def address(running: Running, room: str = "") -> str:
    """Of the page."""
    return f"http://{running.origin}/check{room}"


async def test_a_viewer_with_a_link_tests_the_whole_way_and_copies_no_secret(
    chromium: Browser,
) -> None:
    """The room, STUN, and a round trip through the relay over each transport."""
    with running_coturn(*LOOPBACK) as relay:
        async with (
            running_server(**servers(relay)) as running,
            connect(running.host, running.port) as camera,
            page_at(chromium, address(running, ROOM), patient=True) as page,
        ):
            await claim(camera, Key(), "Door")
            await page.reload()
            found = await checked(page)
            assert set(found.values()) <= {"well", "note"}
            assert {"websocket", "room", "camera", "stun", "turn", "relay"} <= found.keys()
            report = await copied(page)
    assert "(turn)" in report
    assert not any(secret in report for secret in (VIEWER_SECRET, "Door"))


async def copied(page: Page) -> str:
    """What the button puts into the clipboard."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.click("#copy")
    return str(await until(lambda: page.evaluate("navigator.clipboard.readText()")))


async def test_a_relay_that_refuses_its_users_is_named(chromium: Browser) -> None:
    with running_coturn(*LOOPBACK) as relay:
        async with (
            running_server(**servers(relay, secret="another")) as running,
            connect(running.host, running.port) as camera,
        ):
            await claim(camera, Key(), "Door")
            async with page_at(chromium, address(running, ROOM), patient=True) as page:
                found = await checked(page)
    faults = {code for code, verdict in found.items() if verdict == "fault"}
    assert faults == {"turn_credentials", "no_relay"}


async def test_without_a_link_it_says_what_is_not_tested_and_takes_one(chromium: Browser) -> None:
    async with (
        running_server() as running,
        page_at(chromium, address(running), patient=True) as page,
    ):
        assert (await checked(page))["no_room"] == "note"
        await page.fill("#link", f"http://{running.origin}/{ROOM}")
        await page.click("#open button")
        await until(lambda: _names(page, "room_unknown"))


async def _names(page: Page, code: str) -> bool:
    return code in await checked(page)
