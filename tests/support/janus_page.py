"""A page that watches a stream of Debian's Janus, fed with what an RTSP camera sends."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import av
from aiohttp import web

from tests.support.janus_stream import JanusStream, janus_stream
from tests.support.janus_whip import Handle

_PAGE = """<!doctype html><video muted autoplay playsinline></video><script>
globalThis.play = async () => {
  const offered = await (await fetch('/watch', { method: 'POST' })).json();
  const connection = new RTCPeerConnection();
  const video = document.querySelector('video');
  connection.ontrack = ({ track, receiver }) => {
    receiver.jitterBufferTarget = 0;
    video.srcObject = new MediaStream([track]);
  };
  await connection.setRemoteDescription({ type: 'offer', sdp: offered.sdp });
  await connection.setLocalDescription();
  const gathered = () => connection.iceGatheringState === 'complete';
  while (!gathered())
    await new Promise((next) => { connection.onicegatheringstatechange = next; });
  const body = connection.localDescription.sdp;
  await fetch(`/watch/${offered.id}`, { method: 'POST', body });
  globalThis.stop = async () => {
    connection.close();
    await fetch(`/watch/${offered.id}`, { method: 'DELETE' });
  };
};
</script>"""


class _Front:
    """Janus's API as three requests."""

    def __init__(self, stream: JanusStream) -> None:
        self._stream = stream
        self._handles: list[Handle] = []

    def application(self) -> web.Application:
        application = web.Application()
        application.add_routes(
            [
                web.get("/", self._page),
                web.post("/watch", self._watch),
                web.post("/watch/{id}", self._start),
                web.delete("/watch/{id}", self._stop),
            ]
        )
        return application

    async def _page(self, _: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def _watch(self, _: web.Request) -> web.Response:
        handle, offer = await self._stream.offer()
        self._handles.append(handle)
        return web.json_response({"id": len(self._handles) - 1, "sdp": offer})

    async def _start(self, request: web.Request) -> web.Response:
        answer = {"type": "answer", "sdp": await request.text()}
        await self._handle(request).ask({"request": "start"}, answer)
        return web.Response(status=204)

    async def _stop(self, request: web.Request) -> web.Response:
        await self._handle(request).destroy()
        return web.Response(status=204)

    def _handle(self, request: web.Request) -> Handle:
        return self._handles[int(request.match_info["id"])]


@asynccontextmanager
async def janus_page(directory: Path, camera: str) -> AsyncIterator[str]:
    """The page's address; ``play()`` and ``stop()`` in it do what they say."""
    async with janus_stream(directory) as stream:
        runner = web.AppRunner(_Front(stream).application(), shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            with _fed(stream.udp, camera):
                yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@contextmanager
def _fed(port: int, camera: str) -> Iterator[None]:
    """Sends the camera's picture to Janus, as RTP and as it comes."""
    stopped = threading.Event()
    thread = threading.Thread(target=_feed, args=(port, camera, stopped))
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def _feed(port: int, camera: str, stopped: threading.Event) -> None:
    with (
        av.open(camera, options={"rtsp_transport": "tcp"}) as source,
        av.open(f"rtp://127.0.0.1:{port}?pkt_size=1200", "w", format="rtp") as sink,
    ):
        video = source.streams.video[0]
        sent = sink.add_stream_from_template(video)
        for packet in source.demux(video):
            if stopped.is_set():
                return
            if packet.dts is not None:
                packet.stream = sent
                sink.mux(packet)
