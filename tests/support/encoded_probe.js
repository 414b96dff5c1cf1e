/**
 * Describes every coded picture that the page receives, before it is decoded.
 *
 * Loaded before the page's own scripts: each RTCPeerConnection gets a transform that passes frames
 * on as they are and leaves their NAL units' types, lengths and SHA-256 in `portholeUnits`.
 */
(() => {
  const CAPACITY = 20_000;
  globalThis.portholeUnits = [];

  async function inWorker() {
    function nals(data) {
      const starts = [];
      for (let i = 0; i + 2 < data.length; i++) {
        if (data[i] === 0 && data[i + 1] === 0 && data[i + 2] === 1) starts.push((i += 3));
      }
      return starts.map((start, n) => {
        let end = n + 1 < starts.length ? starts[n + 1] - 3 : data.length;
        // Zeros before a start code belong to it, not to the NAL unit (H.264 Annex B.1.1).
        while (data[end - 1] === 0) end--;
        return data.subarray(start, end);
      });
    }

    async function describe(nal) {
      const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', nal));
      const hex = Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
      return [nal[0] & 31, nal.length, hex];
    }

    onrtctransform = async ({ transformer }) => {
      const writer = transformer.writable.getWriter();
      const reader = transformer.readable.getReader();
      for (;;) {
        const { value: frame, done } = await reader.read();
        if (done) return;
        const data = new Uint8Array(frame.data.slice(0));
        await writer.write(frame);
        postMessage(await Promise.all(nals(data).map(describe)));
      }
    };
  }

  function watch(receiver) {
    const source = new Blob([`(${inWorker})()`], { type: 'text/javascript' });
    const worker = new Worker(URL.createObjectURL(source));
    worker.onmessage = ({ data }) => {
      if (globalThis.portholeUnits.push(data) > CAPACITY) globalThis.portholeUnits.shift();
    };
    receiver.transform = new RTCRtpScriptTransform(worker);
  }

  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...how) {
      super(...how);
      // Where the other side offers, the track comes before the answer, which is early enough.
      this.addEventListener('track', ({ receiver }) => {
        if (receiver.track.kind === 'video' && !receiver.transform) watch(receiver);
      });
    }

    // At once: Chromium lets a receiver's frames pass by a transform that comes with the track.
    addTransceiver(...what) {
      const transceiver = super.addTransceiver(...what);
      if (transceiver.receiver.track.kind === 'video') watch(transceiver.receiver);
      return transceiver;
    }
  };
})();
