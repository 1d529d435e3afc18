// Level meters in dBFS with a peak that is held. Widths and heights are set by the style sheet from
// two properties, 0 to 1.

const LOWEST_DB = -60;
const HOT_DB = -3;
const HOLD_MS = 1500;
const FALL = 0.04; // of the scale, at every value after the hold

const share = (db) => Math.min(1, Math.max(0, (db - LOWEST_DB) / -LOWEST_DB));

export class Meter {
  #bars;

  constructor(element) {
    this.#bars = [0, 1].map(() => {
      const bar = element.appendChild(document.createElement("span"));
      const level = bar.appendChild(document.createElement("i"));
      const peak = bar.appendChild(document.createElement("b"));
      return { bar, level, peak, held: 0, heldAt: 0 };
    });
  }

  /** Show left and right; null or nothing: no sound is known. */
  set(levels) {
    const now = Date.now();
    this.#bars.forEach((one, index) => {
      const db = levels?.[index] ?? levels?.[0];
      const value = Number.isFinite(db) ? share(db) : 0;
      if (value >= one.held) {
        one.held = value;
        one.heldAt = now;
      } else if (now - one.heldAt > HOLD_MS) one.held = Math.max(value, one.held - FALL);
      one.bar.style.setProperty("--level", value.toFixed(3));
      one.bar.style.setProperty("--peak", one.held.toFixed(3));
      one.bar.dataset.hot = String(value > share(HOT_DB));
      one.bar.dataset.known = String(Number.isFinite(db));
    });
  }
}
