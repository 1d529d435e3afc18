// The archive page: a line of the as-run log is a place in the recording.

import { menu } from "./menu.js";
import { play } from "./player.js";

const root = document.getElementById("archived");
const video = root.querySelector("video");
const lines = [...root.querySelectorAll("[data-offset]")];

if (video && root.dataset.watch) {
  const failed = () => { root.querySelector(".error").hidden = false; };
  play(video, root.dataset.watch, failed, { language: document.documentElement.lang, start: 0 }).then((player) => {
    const data = root.dataset;
    if (player) menu(root.querySelector(".player-bar"), player, JSON.parse(data.sounds), JSON.parse(data.words));
  });
  for (const line of lines) {
    line.addEventListener("click", () => {
      video.currentTime = Number(line.dataset.offset);
      video.play().catch(() => {});
    });
  }
  video.addEventListener("timeupdate", mark);
}

function mark() {
  let current = null;
  for (const line of lines) {
    if (Number(line.dataset.offset) <= video.currentTime + 0.05) current = line.parentElement;
  }
  for (const line of lines) {
    const on = line.parentElement === current;
    if (on) line.parentElement.setAttribute("aria-current", "true");
    else line.parentElement.removeAttribute("aria-current");
  }
}
