// The public live page and the player for other sites: waits for the meeting, plays it.

import { menu } from "./menu.js";
import { play } from "./player.js";

const EVERY_MS = 5000;
const root = document.getElementById("live");
const states = JSON.parse(root.dataset.states);
const words = JSON.parse(root.dataset.words);
const video = root.querySelector("video");
const embedded = root.dataset.start !== undefined;
let playing = false;

const part = (name) => root.querySelector(name) ?? document.createElement("i");

function show(now) {
  const sign = part(".state");
  sign.dataset.state = now.state;
  sign.textContent = states[now.state] ?? now.state;
  const over = ["ENDING", "ARCHIVED"].includes(now.state);
  part(".ended").hidden = !over;
  part(".wait").hidden = playing || over || ["CANCELLED", "POSTPONED"].includes(now.state);
  // Elsewhere the recording is played in the same place; here the archive's page does it better.
  if (now.watch && !playing && (embedded || !over)) begin(now, over);
}

async function begin(now, over) {
  playing = true;
  video.hidden = false;
  root.querySelector(".poster:not(.sound-alone)").hidden = true;
  const player = await play(video, now.watch, () => { part(".error").hidden = false; }, {
    language: document.documentElement.lang,
    start: embedded && over ? Number(root.dataset.start) : undefined,
  });
  if (player) {
    root.player = player; // for the tests, which measure the delay
    menu(root.querySelector(".player-bar"), player, now.sounds, words);
  }
  if (over) return;
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

const snippet = root.querySelector(".embed textarea");
if (snippet) {
  root.querySelector(".embed button").addEventListener("click", async () => {
    snippet.select();
    try {
      await navigator.clipboard.writeText(snippet.value);
      root.querySelector(".copied").hidden = false;
    } catch {
      document.execCommand("copy"); // pages that are not served by https
      root.querySelector(".copied").hidden = false;
    }
  });
}

show(JSON.parse(root.dataset.now));
setTimeout(ask, EVERY_MS);
