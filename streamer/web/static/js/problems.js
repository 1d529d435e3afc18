// One line that always stands above the parts: what does not work, whichever part is open.

import { span } from "./words.js";

/** Every problem of a snapshot but those of sources: [{tab, text}]. */
export function problemsOf(view, tables, now) {
  const red = (view.legs ?? []).filter((leg) => leg.health === "red" && leg.kind !== "feed");
  const first = { relay: 0, recorder: 1 };
  red.sort((a, b) => (first[a.kind] ?? 2) - (first[b.kind] ?? 2));
  const legs = red.map((leg) => {
    const kind = leg.kind === "relay" ? "" : `${tables.leg_kinds[leg.kind] ?? leg.kind} `;
    const why = leg.act && leg.act !== "wait" ? tables.acts[leg.act] : tables.leg_states[leg.state];
    return { tab: "legs", text: [`${kind}${leg.name || leg.id}`, why ?? leg.error].filter(Boolean).join(": ") };
  });
  const signals = (view.signals ?? []).filter((one) => one.feed === "programme").map((one) => {
    const since = Number.isFinite(one.since) ? ` ${span(now - one.since)}` : "";
    const text = `${tables.console.programme}: ${tables.detectors[one.detector] ?? one.detector}${since}`;
    return { tab: "sources", text };
  });
  return [...signals, ...legs];
}

export class Problems {
  #place;
  #tables;
  #tab = "legs";

  /** `open(tab)` is called when somebody asks for more. */
  constructor(place, tables, open) {
    this.#place = place;
    this.#tables = tables;
    place.querySelector("button").addEventListener("click", () => open(this.#tab));
  }

  show(problems, sources, works) {
    const bad = sources.filter((one) => one.bad);
    const texts = problems.map((one) => one.text);
    if (bad.length) {
      texts.push(`${this.#tables.console.bad_sources}: ${bad.map((one) => one.name).join(", ")}`);
    }
    this.#tab = problems[0]?.tab ?? (bad.length ? "sources" : "legs");
    this.#place.dataset.bad = String(texts.length > 0);
    this.#place.dataset.idle = String(!texts.length && !works);
    this.#place.querySelector(".sign").textContent = texts.length ? `✕ ${problems.length + bad.length}` : works ? "✓" : "–";
    const button = this.#place.querySelector("button");
    const text = texts.join(" · ") || this.#tables.console[works ? "all_works" : "no_run"];
    if (button.textContent !== text) button.textContent = button.title = text;
  }
}
