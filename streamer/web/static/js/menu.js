// The line under a player: back to live, quality, language.

import { make } from "./words.js";

const EVERY_MS = 500;

/** Fill the menu `bar` for `player`; `sounds` are the playlists of sound alone, of each language. */
export function menu(bar, player, sounds, words) {
  const quality = bar.querySelector(".quality");
  const language = bar.querySelector(".language");
  const live = bar.querySelector(".to-live");
  const curtain = bar.parentElement.querySelector(".sound-alone");
  let alone = false;

  const heard = () => sounds.find((one) => one.language === language.value) ?? sounds[0];

  function fill() {
    const heights = player.qualities;
    const choices = [[0, words.auto], ...heights.map((height) => [height, `${height}p`])];
    if (sounds.length) choices.push(["sound", words.sound]);
    options(quality, choices, alone ? "sound" : player.quality);
    quality.parentElement.hidden = choices.length < 3;
    if (!alone) {
      const tracks = player.sounds.map((sound) => [sound.language, sound.name]);
      const now = player.sounds[player.hls.audioTrack]?.language ?? "";
      options(language, tracks, now);
      language.parentElement.hidden = tracks.length < 2;
    }
    bar.hidden = quality.parentElement.hidden && language.parentElement.hidden && live.hidden;
  }

  function tick() {
    live.hidden = !player.live;
    const there = player.atLive && !player.video.paused;
    live.disabled = there;
    live.textContent = there ? words.live : words.back;
    live.dataset.live = String(there);
    fill();
  }

  quality.addEventListener("change", () => {
    const sound = quality.value === "sound";
    curtain.hidden = !sound;
    if (sound) player.soundAlone(heard().address);
    else player.choose(Number(quality.value));
    alone = sound;
  });
  language.addEventListener("change", () => {
    if (alone) player.soundAlone(heard().address);
    player.say(language.value);
  });
  live.addEventListener("click", () => player.toLive());
  player.addEventListener("change", fill);
  tick();
  setInterval(tick, EVERY_MS);
}

/** Make the choices of `select` these, and leave it alone when they are: it may be open. */
function options(select, choices, chosen) {
  const wanted = JSON.stringify(choices);
  if (select.dataset.choices !== wanted) {
    select.dataset.choices = wanted;
    select.replaceChildren(...choices.map(([value, text]) => make("option", text, { value })));
  }
  if (document.activeElement !== select || !select.value) select.value = String(chosen);
}
