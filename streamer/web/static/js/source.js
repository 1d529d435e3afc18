// One row of the list of sources.

import { Meter } from "./meter.js";
import { decibel, fill, make, span } from "./words.js";

const SIGNS = { ALIVE: "✓", LOST: "✕", WAITING: "…", NONE: "–" };
const GAIN = [-40, 20];
const DELAY = [-500, 1000];
const SETTLES_MS = 2500; // until then what was asked for is shown, not what the run still says

const within = (value, [lowest, highest]) => Math.min(highest, Math.max(lowest, value));
const write = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};

export class Source {
  element;
  image;
  bad = false;
  seen = false;
  words = "";
  #tables;
  #acts;
  #source;
  #parts = {};
  #meter;
  #asked = null;

  constructor(source, tables, acts) {
    this.#source = source;
    this.#tables = tables;
    this.#acts = acts;
    this.element = make("li", "", { class: "source", "data-feed": source.feed });
    if (source.site) this.element.dataset.site = source.site;
    this.#build(source);
  }

  level(levels) {
    this.#meter.set(levels);
  }

  show(source, now, possible, chosen) {
    const words = this.#tables.console;
    this.#source = source;
    this.bad = source.bad;
    const part = this.#parts;
    const state = this.#tables.feed_states[source.state] ?? source.state;
    const { settings } = source;
    this.element.dataset.state = source.state;
    this.element.dataset.bad = String(source.bad);
    this.element.dataset.floor = String(source.floor);
    write(part.name, source.name);
    part.name.title = source.name;
    part.state.dataset.state = source.state;
    const extra = [source.floor ? words.has_floor : "", settings?.reduced ? words.still : ""];
    write(part.state, [`${SIGNS[source.state] ?? "?"} ${state}`, ...extra].filter(Boolean).join(" · "));
    this.#faults(source, now);
    this.words = [source.name, ...Object.values(source.names ?? {}), source.feed, state].join(" ");
    if (part.pick) {
      part.pick.setAttribute("aria-pressed", String(chosen === source.site));
      part.pick.title = words.choose_for_scenes;
      part.floor.hidden = !possible(source.floor ? "take_floor_back" : "give_floor");
      part.floor.disabled = source.state === "NONE" && !source.floor;
      part.floor.setAttribute("aria-pressed", String(source.floor));
      write(part.floor, this.#tables.commands[source.floor ? "take_floor_back" : "give_floor"]);
    }
    this.#sound(settings, possible("sound"));
    part.restart.hidden = !source.leg?.wanted || !possible("restart_leg");
    const ingest = source.ingest ? [source.ingest.address, source.ingest.key_hint] : [];
    write(part.ingest, ingest.filter(Boolean).join(" · "));
  }

  #build(source) {
    const words = this.#tables.console;
    const part = this.#parts;
    const button = (text, name, act, more = {}) => {
      const element = make("button", text, { type: "button", "data-act": name, ...more });
      element.addEventListener("click", act);
      return element;
    };
    this.image = make("img", "", { alt: "", hidden: "" });
    const thumb = make("span", "", { class: "thumb", "aria-hidden": "true" });
    thumb.append(this.image);
    part.name = make("b");
    part.state = make("small", "", { class: "feed-state" });
    part.fault = make("span", "", { class: "fault", hidden: "" });
    const who = make("span", "", { class: "who" });
    who.append(part.name, part.state, part.fault);
    const head = source.site
      ? button("", "pick", () => this.#acts.pick(this.#source.site), { class: "head" })
      : make("div", "", { class: "head" });
    head.append(thumb, who);
    if (source.site) part.pick = head;
    const meter = make("div", "", { class: "meter", role: "img", "aria-label": words.level });
    this.#meter = new Meter(meter);
    part.floor = button("", "floor", () => this.#floor());
    part.floor.hidden = !source.site;
    part.mute = button("", "mute", () => this.#mute());
    part.gain = make("output", "", { "aria-label": words.gain });
    const gain = make("div", "", { class: "gain", role: "group", "aria-label": words.gain });
    part.less = button("−", "less", () => this.#gain(-1), { title: words.quieter, "aria-label": words.quieter });
    part.more = button("+", "more", () => this.#gain(1), { title: words.louder, "aria-label": words.louder });
    gain.append(part.less, part.gain, part.more);
    part.gains = gain;
    part.open = button("⋯", "open", () => this.#open(), {
      "aria-expanded": "false", title: words.more, "aria-label": `${words.more}: ${source.name}`,
    });
    this.element.append(head, meter, part.floor, part.mute, gain, part.open, this.#details(button));
  }

  #details(button) {
    const words = this.#tables.console;
    const part = this.#parts;
    part.details = make("div", "", { class: "details", hidden: "" });
    part.list = make("ul");
    part.delay = make("input", "", { type: "number", step: "10", min: DELAY[0], max: DELAY[1] });
    part.delay.addEventListener("change", () => this.#delay());
    part.delayLabel = make("label", words.delay_ms);
    part.delayLabel.append(part.delay);
    part.restart = button(this.#tables.console.restart, "restart", () => {
      this.#acts.command("restart_leg", { leg: this.#source.leg.id });
    });
    part.ingest = make("small", "", { class: "ingest" });
    part.details.append(part.list, part.delayLabel, part.restart, part.ingest);
    return part.details;
  }

  /** What is wrong, since when, and what helps: in short on the row, in full in the details. */
  #faults(source, now) {
    const { detectors, advice, acts, console: words } = this.#tables;
    const lines = source.faults.map((one) => {
      const since = Number.isFinite(one.since) ? ` ${span(now - one.since)}` : "";
      const what = `${detectors[one.detector] ?? one.detector}${since}`;
      return advice[one.detector] ? `${what}: ${advice[one.detector]}` : what;
    });
    const { leg } = source;
    if (leg && leg.health === "red") {
      const act = leg.act ? fill(words.who_acts, { act: acts[leg.act] ?? leg.act }, this.#tables) : "";
      lines.push([leg.error, act].filter(Boolean).join(" · ") || this.#tables.health.red);
    } else if (source.state === "LOST" && !lines.length) lines.push(words.lost_advice);
    const text = lines.join(" · ");
    this.#parts.fault.hidden = !lines.length;
    write(this.#parts.fault, lines.length ? `⚠ ${text}` : "");
    this.#parts.fault.title = lines.join("\n");
    if (this.#parts.list.dataset.text !== text) {
      this.#parts.list.dataset.text = text;
      this.#parts.list.replaceChildren(...lines.map((line) => make("li", `⚠ ${line}`)));
    }
  }

  #sound(settings, may) {
    const part = this.#parts;
    const words = this.#tables.console;
    part.mute.hidden = part.gains.hidden = !settings;
    part.mute.disabled = part.less.disabled = part.more.disabled = part.delay.disabled = !may;
    part.delayLabel.hidden = !settings;
    if (!settings) return;
    if (this.#asked && Date.now() - this.#asked.at > SETTLES_MS) this.#asked = null;
    if (this.#asked?.gain === settings.gain_db) this.#asked = null;
    const muted = settings.muted === true;
    part.mute.setAttribute("aria-pressed", String(muted));
    write(part.mute, muted ? words.feed_muted : words.feed_heard);
    part.mute.title = muted ? words.sound_back : words.sound;
    write(part.gain, `${decibel(this.#gainNow(), 0, true)} ${words.db}`);
    if (document.activeElement !== part.delay) part.delay.value = settings.delay_ms ?? 0;
  }

  #gainNow() {
    return this.#asked?.gain ?? this.#source.settings?.gain_db ?? 0;
  }

  #gain(step) {
    const gain = within(Math.round(this.#gainNow()) + step, GAIN);
    this.#asked = { gain, at: Date.now() };
    write(this.#parts.gain, `${decibel(gain, 0, true)} ${this.#tables.console.db}`);
    this.#acts.command("sound", { feed: this.#source.feed, gain_db: gain });
  }

  #delay() {
    const value = Math.round(Number(this.#parts.delay.value));
    if (!Number.isFinite(value)) return;
    const delay = within(value, DELAY);
    this.#parts.delay.value = delay;
    this.#acts.command("sound", { feed: this.#source.feed, delay_ms: delay });
  }

  #mute() {
    const muted = this.#source.settings?.muted !== true;
    this.#acts.command("sound", { feed: this.#source.feed, muted });
  }

  #floor() {
    const { site, floor } = this.#source;
    this.#acts.command(floor ? "take_floor_back" : "give_floor", { site, ...this.#acts.fade() });
  }

  #open() {
    const { open, details } = this.#parts;
    details.hidden = !details.hidden;
    open.setAttribute("aria-expanded", String(!details.hidden));
  }
}
