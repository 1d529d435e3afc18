// Sound of the programme: level, loudness against its target, what leveller and limiter do.

import { Meter } from "./meter.js";
import { decibel, fill, make } from "./words.js";

const AROUND = 1; // LU either side of the target that are right
const SCALE = [-18, 9]; // the scale of EBU R 128 meters, LU around the target
const FRESH_MS = 1500;

export class Sound {
  #meter;
  #box;
  #tables;
  #target;
  #cameAt = 0;

  constructor(meter, box, tables, target) {
    this.#meter = new Meter(meter);
    this.#box = box;
    this.#tables = tables;
    this.#target = target;
    this.#place(".zone", -AROUND, AROUND);
  }

  /** Levels as they come five times a second. */
  levels(levels) {
    this.#cameAt = Date.now();
    this.#meter.set(levels);
  }

  /** What a snapshot says; its levels count while none come by themselves. */
  show(view) {
    if (Date.now() - this.#cameAt > FRESH_MS) this.#meter.set(view.meters?.peak_db);
    const sound = view.sound;
    this.#box.hidden = !sound;
    if (!sound) return;
    const lufs = sound.lufs ?? {};
    const target = sound.target_lufs ?? this.#target;
    this.#place(".short", SCALE[0], (lufs.s ?? -99) - target);
    this.#place(".whole", (lufs.i ?? -99) - target - 0.2, (lufs.i ?? -99) - target + 0.2);
    const words = this.#tables.console;
    const parts = ["m", "s", "i"].map((one) => {
      const part = make("div", "", { title: words[`lufs_${one}`] });
      part.append(make("dt", one.toUpperCase()), make("dd", decibel(lufs[one])));
      return part;
    });
    const rest = [fill(words.target, { lufs: decibel(target, 0) }, this.#tables)];
    for (const [word, value] of [["leveller", sound.leveller_db], ["limiter", sound.limiter_db]]) {
      if (!Number.isFinite(value)) continue;
      rest.push(fill(words[word], { db: decibel(value, 1, true) }, this.#tables));
    }
    this.#box.querySelector(".values").replaceChildren(...parts);
    this.#box.querySelector(".rest").replaceChildren(...rest.map((text) => make("span", text)));
    this.#judge(lufs.i ?? lufs.s, target);
  }

  #judge(value, target) {
    const verdict = this.#box.querySelector(".verdict");
    const off = Number.isFinite(value) ? value - target : null;
    const kind = off === null ? "" : Math.abs(off) <= AROUND ? "right" : off > 0 ? "loud" : "quiet";
    verdict.dataset.kind = kind;
    verdict.textContent = kind
      ? fill(this.#tables.console[`sound_${kind}`], { lu: Math.abs(off).toFixed(1) }, this.#tables) : "";
  }

  /** Set a mark of the scale from one distance of the target to another, in LU. */
  #place(selector, from, to) {
    const at = (lu) => Math.min(1, Math.max(0, (lu - SCALE[0]) / (SCALE[1] - SCALE[0])));
    const mark = this.#box.querySelector(selector);
    mark.style.setProperty("--from", at(from).toFixed(3));
    mark.style.setProperty("--width", Math.max(0, at(to) - at(from)).toFixed(3));
  }
}
