// The as-run log, newest line on top.

import { clock, errorText, fill, make } from "./words.js";

const KEPT = 500;
const BAD = new Set(["relay_lost", "source_lost", "disk_problem", "store_lost", "command_refused",
  "package_failed", "ingest_refused", "signal_fault"]);
const QUIET = new Set(["recording_part_finished"]);

export class Log {
  #list;
  #tables;
  #offset;
  #last = 0;

  constructor(list, tables, offset) {
    this.#list = list;
    this.#tables = tables;
    this.#offset = offset;
  }

  /** The seq of the newest line. */
  get last() {
    return this.#last;
  }

  /** Add a line once; lines that were shown already are left out. Gives whether it is a bad one. */
  add(line) {
    if (line.seq <= this.#last) return false;
    this.#last = line.seq;
    const item = make("li", "", { "data-kind": kind(line), "data-seq": line.seq });
    item.append(make("time", clock(line.at, this.#offset)), make("span", this.#text(line)));
    this.#list.prepend(item);
    if (this.#list.children.length > KEPT) this.#list.lastElementChild.remove();
    return item.dataset.kind === "bad";
  }

  #text(line) {
    const text = fill(this.#tables.events[line.name] ?? line.name, line.data, this.#tables);
    const error = line.data.error;
    const more = [
      typeof error === "object" && error ? errorText(error, this.#tables) : error,
      QUIET.has(line.name) ? "" : line.data.reason,
      line.data.by,
    ];
    return [text, ...more.filter(Boolean)].join(" · ");
  }
}

function kind(line) {
  if (line.name === "meeting_state_changed") return "state";
  if (BAD.has(line.name) || ["STALLED", "FAILED"].includes(line.data.to)) return "bad";
  return "";
}
