// The table of legs: what moves, what does not, and who must act.

import { fill, make, size } from "./words.js";

const SYMBOLS = { green: "✓", amber: "…", red: "✕", grey: "–" };
// What the public and the archive get stands first: a region may have twenty sources.
const ORDER = { run: 0, relay: 1, recorder: 2, encoder: 3, link: 4, ingest: 5, feed: 6 };
const RATE_OVER_S = 1.5;

export class Legs {
  #body;
  #tables;
  #restart;
  #before = new Map();
  #rows = new Map();

  /** `restart(id)` is called when somebody presses the button of a leg. */
  constructor(body, tables, restart) {
    this.#body = body;
    this.#tables = tables;
    this.#restart = restart;
  }

  /** Show the legs of a snapshot taken `at` (POSIX seconds). */
  show(legs, at, mayRestart) {
    const sorted = [...legs].sort((a, b) => (ORDER[a.kind] ?? 9) - (ORDER[b.kind] ?? 9));
    const seen = new Set();
    for (const [index, leg] of sorted.entries()) {
      seen.add(leg.id);
      const row = this.#rows.get(leg.id) ?? this.#newRow(leg);
      if (this.#body.rows[index] !== row) this.#body.insertBefore(row, this.#body.rows[index] ?? null);
      this.#fill(row, leg, at, mayRestart);
    }
    for (const [id, row] of this.#rows) {
      if (!seen.has(id)) {
        row.remove();
        this.#rows.delete(id);
      }
    }
    this.#body.querySelector(".none")?.parentElement.remove();
    if (!sorted.length) {
      const cell = make("td", this.#tables.console.no_run, { class: "none", colspan: "6" });
      const row = make("tr");
      row.append(cell);
      this.#body.append(row);
    }
  }

  #newRow(leg) {
    const row = make("tr", "", { "data-leg": leg.id });
    row.append(make("td"), make("td"), make("td", "", { class: "number" }),
      make("td", "", { class: "number" }), make("td", "", { class: "why" }), make("td"));
    const name = `${this.#tables.console.restart}: ${this.#name(leg)}`;
    const button = make("button", "↻", { type: "button", title: name, "aria-label": name });
    button.addEventListener("click", () => this.#restart(leg.id));
    row.cells[5].append(button);
    this.#rows.set(leg.id, row);
    this.#body.append(row);
    return row;
  }

  #fill(row, leg, at, mayRestart) {
    const { health, leg_states: states, leg_kinds: kinds, acts, console } = this.#tables;
    const sign = make("span", "", { class: "health", "data-health": leg.health });
    sign.append(make("b", SYMBOLS[leg.health] ?? "?", { "aria-hidden": "true" }),
      health[leg.health] ?? leg.health);
    const state = states[leg.state] ?? leg.state;
    const tries = leg.tries > 1 ? ` · ${fill(console.tries, leg, this.#tables)}` : "";
    const more = leg.state === "RUNNING" ? "" : state + tries;
    row.cells[0].replaceChildren(sign, ...(more ? [make("small", more)] : []));
    const what = make("span", this.#name(leg));
    const where = [kinds[leg.kind] ?? leg.kind, leg.target, leg.detail].filter(Boolean).join(" · ");
    row.cells[1].replaceChildren(what, make("small", where));
    row.cells[1].title = where;
    // A feed is decoded, a server only listens: their bytes say nothing about the line.
    const sends = leg.kind !== "feed" && leg.kind !== "run" && !leg.id.startsWith("ingest:");
    row.cells[2].textContent = sends && leg.bytes ? size(leg.bytes) : "–";
    row.cells[3].textContent = sends ? this.#rate(leg, at) : "–";
    const why = [];
    if (leg.act) why.push(make("b", fill(console.who_acts, { act: acts[leg.act] ?? leg.act }, this.#tables)));
    if (leg.error) why.push(make("span", leg.error));
    row.cells[4].replaceChildren(...why);
    row.cells[4].title = why.map((part) => part.textContent).join("\n");
    row.cells[5].firstChild.hidden = !mayRestart || !leg.wanted;
  }

  #name(leg) {
    return this.#tables.names?.[leg.id] || leg.name || leg.id;
  }

  #rate(leg, at) {
    const before = this.#before.get(leg.id);
    if (!before || at < before.at || leg.bytes < before.bytes) {
      this.#before.set(leg.id, { at, bytes: leg.bytes, text: "–" });
      return "–";
    }
    if (at - before.at < RATE_OVER_S) return before.text;
    const kbits = ((leg.bytes - before.bytes) * 8) / 1000 / (at - before.at);
    const text = kbits < 1000 ? `${Math.round(kbits)} kbit/s` : `${(kbits / 1000).toFixed(1)} Mbit/s`;
    this.#before.set(leg.id, { at, bytes: leg.bytes, text });
    return text;
  }
}
