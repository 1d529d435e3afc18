// Tabs of the console. A part with a problem says so on its tab, so that nothing red is hidden.

import { keep, kept } from "./keep.js";

const STORED = "console-tab";

export class Tabs {
  #tabs;
  #chosen;
  #shown = "";
  #act;

  /** `act(name)` is called when another part is shown. */
  constructor(list, act) {
    this.#tabs = [...list.querySelectorAll("[role=tab]")];
    this.#chosen = kept(STORED, "");
    this.#act = act;
    for (const tab of this.#tabs) tab.addEventListener("click", () => this.choose(tab.dataset.tab));
    list.addEventListener("keydown", (event) => this.#key(event));
  }

  get shown() {
    return this.#shown;
  }

  /** Offer only the parts called `names`; what was chosen stays, else the first one is shown. */
  offer(names) {
    for (const tab of this.#tabs) tab.hidden = !names.includes(tab.dataset.tab);
    this.#show(names.includes(this.#chosen) ? this.#chosen : names[0]);
  }

  /** Show the part called `name`, as its user wishes. */
  choose(name) {
    this.#chosen = name;
    keep(STORED, name);
    this.#show(name);
  }

  /** Write a badge: a sign, a count, and what it means; no count, no badge. */
  badge(name, sign, count, meaning, kind = "bad") {
    const badge = this.#tab(name).querySelector(".badge");
    badge.hidden = !count;
    badge.dataset.kind = kind;
    badge.textContent = `${sign} ${count}`;
    badge.title = meaning;
    badge.setAttribute("aria-label", `${count}: ${meaning}`);
  }

  #tab(name) {
    return this.#tabs.find((tab) => tab.dataset.tab === name);
  }

  #show(name) {
    if (name === this.#shown) return;
    this.#shown = name;
    for (const tab of this.#tabs) {
      const on = tab.dataset.tab === name;
      tab.setAttribute("aria-selected", String(on));
      tab.tabIndex = on ? 0 : -1;
      document.getElementById(tab.getAttribute("aria-controls")).hidden = !on;
    }
    this.#act(name);
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const offered = this.#tabs.filter((tab) => !tab.hidden);
    const at = offered.findIndex((tab) => tab.dataset.tab === this.#shown);
    const next = offered[(at + step + offered.length) % offered.length];
    this.choose(next.dataset.tab);
    next.focus();
  }
}
