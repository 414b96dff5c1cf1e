/**
 * Keeps what the page appends to its SourceBuffers, for tests: `portholeAppended`, and the buffers
 * themselves in `portholeBuffers`. Loaded before the page's own scripts.
 */
(() => {
  const LIMIT = 8 * 1024 * 1024; // bytes
  const appended = [];
  let bytes = 0;
  globalThis.portholeBuffers = [];

  const { addSourceBuffer } = MediaSource.prototype;
  MediaSource.prototype.addSourceBuffer = function add(mime) {
    const buffer = addSourceBuffer.call(this, mime);
    globalThis.portholeBuffers.push(buffer);
    return buffer;
  };

  const { appendBuffer } = SourceBuffer.prototype;
  SourceBuffer.prototype.appendBuffer = function append(data) {
    appendBuffer.call(this, data);
    if ((bytes += data.byteLength) <= LIMIT) appended.push(data.slice());
  };

  /** All of it in base64. */
  globalThis.portholeAppended = async () => {
    const reader = new FileReader();
    const read = new Promise((done) => (reader.onload = done));
    reader.readAsDataURL(new Blob(appended));
    await read;
    return reader.result.split(',')[1];
  };
})();
