// Plays HLS: by the browser itself where it can, else by the copy of hls.js that is served with us.

/** Begin to play `address` in `video`; `failed()` is called when nothing can play it. */
export async function play(video, address, failed) {
  if (video.canPlayType("application/vnd.apple.mpegurl") && !window.MediaSource) {
    video.src = address;
    video.addEventListener("error", failed, { once: true });
    return;
  }
  const { default: Hls } = await import("/static/vendor/hls.light.min.mjs");
  if (!Hls.isSupported()) {
    video.src = address;
    video.addEventListener("error", failed, { once: true });
    return;
  }
  // No worker: its script would come from a blob, which our policy does not allow.
  const hls = new Hls({ enableWorker: false, lowLatencyMode: false, backBufferLength: 60 });
  let rescued = false;
  hls.on(Hls.Events.ERROR, (_, problem) => {
    if (!problem.fatal) return;
    if (problem.type === Hls.ErrorTypes.NETWORK_ERROR) {
      setTimeout(() => hls.loadSource(address), 3000);
    } else if (problem.type === Hls.ErrorTypes.MEDIA_ERROR && !rescued) {
      rescued = true;
      hls.recoverMediaError();
    } else {
      failed();
    }
  });
  hls.loadSource(address);
  hls.attachMedia(video);
}
