// The public live page: waits for the meeting, plays it, and leads to the archive at the end.

import { play } from "./player.js";

const EVERY_MS = 5000;
const root = document.getElementById("live");
const states = JSON.parse(root.dataset.states);
const video = root.querySelector("video");
let playing = false;

function show(now) {
  const sign = root.querySelector(".state");
  sign.dataset.state = now.state;
  sign.textContent = states[now.state] ?? now.state;
  const over = ["ENDING", "ARCHIVED"].includes(now.state);
  root.querySelector(".ended").hidden = !over;
  root.querySelector(".wait").hidden = playing || over || ["CANCELLED", "POSTPONED"].includes(now.state);
  if (now.watch && !playing && !over) begin(now.watch);
}

async function begin(address) {
  playing = true;
  video.hidden = false;
  root.querySelector(".poster").hidden = true;
  await play(video, address, () => { root.querySelector(".error").hidden = false; });
  video.muted = true; // browsers start by themselves only without sound
  video.play().catch(() => { video.muted = false; });
}

async function ask() {
  try {
    const answer = await fetch(`/api/public/meetings/${root.dataset.meeting}`, {
      signal: AbortSignal.timeout(EVERY_MS),
    });
    if (answer.ok) show(await answer.json());
  } catch {
    // the next question comes in a moment
  }
  setTimeout(ask, EVERY_MS);
}

show(JSON.parse(root.dataset.now));
setTimeout(ask, EVERY_MS);
