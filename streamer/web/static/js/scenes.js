// Scenes: the buttons, what is wanted, what is shown, and who has the floor.

import { keep, kept } from "./keep.js";
import { fill, make } from "./words.js";

const STORED = "console-change";
const FIRST = [{ name: "hall", takes: null }]; // of a run that does not say what may be taken
const ORDER = ["hall", "slides", "grid", "site", "split", "pip"]; // others follow as they come

const rank = (scene) => (scene.takes ? 100 : 0) + (ORDER.indexOf(scene.name) + 50) % 50;

/** A scene as commands spell it: [name, site or ""]. */
export const parsed = (scene) => {
  const [name, ...site] = String(scene ?? "").split(":");
  return [name, site.join(":")];
};

export class Scenes {
  #root;
  #tables;
  #act;
  #byId = (id) => this.#root.querySelector(`#${id}`);
  #view = {};
  #buttons = [];
  #drawn = "";
  #sitesDrawn = "";

  /** `act(command, args)` sends a command. */
  constructor(root, tables, act) {
    this.#root = root;
    this.#tables = tables;
    this.#act = act;
    this.#byId("scene-site").addEventListener("change", () => this.#targets());
    const change = kept(STORED, "fade");
    for (const radio of this.#byId("change").querySelectorAll("input")) {
      radio.checked = radio.value === change;
      radio.addEventListener("change", () => keep(STORED, radio.value));
    }
    const always = root.querySelector(".always");
    always.querySelector("[data-command=slate]").addEventListener("click", () => act("slate"));
    const mute = always.querySelector("[data-command=mute]");
    mute.addEventListener("click", () => {
      act("mute", { muted: mute.getAttribute("aria-pressed") !== "true" });
    });
    this.#byId("floor").querySelector("button").addEventListener("click", () => {
      act("take_floor_back", this.fade);
    });
  }

  /** How a change is asked for; nothing where the run knows only cuts. */
  get fade() {
    if (!this.#view.scenes) return {};
    return { fade: Boolean(this.#byId("change").querySelector("[value=fade]").checked) };
  }

  /** The site that scenes are taken with: the chosen one, else who has the floor. */
  get site() {
    return this.#byId("scene-site").value || this.#view.floor || "";
  }

  set site(id) {
    this.#byId("scene-site").value = id;
    this.#targets();
  }

  get chosen() {
    return this.#byId("scene-site").value;
  }

  /** Press the button with this number or of this scene, when it can be pressed. */
  press(which) {
    const button = typeof which === "number" ? this.#buttons[which - 1]
      : this.#root.querySelector(`.scene [data-scene="${which}"], .scene [data-command="${which}"]`);
    button?.click();
  }

  show(view, possible) {
    this.#view = view;
    this.#draw();
    this.#drawSites();
    const { wanted, shown, muted } = view.scene ?? {};
    for (const button of this.#root.querySelectorAll(".scene [data-scene]")) {
      const { scene, command } = button.dataset;
      const on = parsed(wanted)[0] === scene;
      button.setAttribute("aria-pressed", String(on));
      button.dataset.shown = String(parsed(shown)[0] === scene);
      button.disabled = !possible(command);
    }
    const mute = this.#root.querySelector("[data-command=mute]");
    mute.disabled = !possible("mute");
    mute.setAttribute("aria-pressed", String(muted === true));
    mute.querySelector("span").textContent = this.#tables.console[muted ? "sound_back" : "sound"];
    this.#byId("change").hidden = !view.scenes || !possible("take_scene");
    this.#targets();
    this.#now(wanted, shown, muted);
    this.#floor(possible("take_floor_back"));
  }

  /** A scene in words: `split:abai-district` is "Hall and site · Abai District". */
  name(scene) {
    const [name, site] = parsed(scene);
    const known = (this.#view.scenes ?? []).find((one) => one.name === name);
    const word = this.#inWords(known?.names) || this.#tables.scenes[name] || name;
    return site ? `${word} · ${this.siteName(site)}` : word;
  }

  siteName(id) {
    const site = (this.#view.sites ?? []).find((one) => one.id === id);
    return this.#inWords(site?.names) || id;
  }

  #inWords(names) {
    return names?.[document.documentElement.lang] || names?.kk || names?.ru || "";
  }

  #draw() {
    const scenes = (this.#view.scenes ?? FIRST).filter((one) => one.name !== "slate");
    scenes.sort((a, b) => rank(a) - rank(b));
    const key = JSON.stringify(scenes);
    if (key === this.#drawn) return;
    this.#drawn = key;
    this.#buttons = scenes.map((scene, index) => {
      const button = make("button", "", {
        type: "button", "data-command": "take_scene", "data-scene": scene.name, "aria-pressed": "false",
      });
      button.append(make("span", this.name(scene.name)));
      if (index < 9) button.append(make("kbd", String(index + 1), { "aria-hidden": "true" }));
      if (scene.takes) button.append(make("small"));
      button.addEventListener("click", () => this.#take(scene));
      return button;
    });
    const full = scenes.filter((one) => !one.takes).length;
    this.#byId("scenes").replaceChildren(...this.#buttons.slice(0, full));
    this.#byId("site-scenes").replaceChildren(...this.#buttons.slice(full));
    this.#byId("site-scenes").hidden = this.#byId("with-site").hidden = full === scenes.length;
  }

  #drawSites() {
    const sites = this.#view.sites ?? [];
    const words = this.#tables.feed_states;
    const options = sites.map((site) => {
      const state = site.state && site.state !== "ALIVE" ? ` (${words[site.state] ?? site.state})` : "";
      return [site.id, this.siteName(site.id) + state];
    });
    options.unshift(["", this.#tables.console.who_has_floor]);
    const key = JSON.stringify(options);
    const select = this.#byId("scene-site");
    // An open list must not be torn away from whoever chooses.
    if (key === this.#sitesDrawn || document.activeElement === select) return;
    this.#sitesDrawn = key;
    const before = select.value;
    select.replaceChildren(...options.map(([value, text]) => make("option", text, { value })));
    select.value = options.some(([value]) => value === before) ? before : "";
  }

  /** Write on each button that takes a site which one it would take. */
  #targets() {
    const site = this.site;
    const name = site ? this.siteName(site) : this.#tables.console.choose_site;
    for (const button of this.#byId("site-scenes").children) {
      button.querySelector("small").textContent = name;
      if (!site) button.disabled = true;
      else if (this.#view.allowed) button.disabled = !this.#view.allowed.includes("take_scene");
      const [wanted, with_] = parsed(this.#view.scene?.wanted);
      // The same arrangement with another site is another scene.
      const on = wanted === button.dataset.scene && (!site || with_ === site);
      button.setAttribute("aria-pressed", String(on));
    }
  }

  #take(scene) {
    const name = scene.takes ? `${scene.name}:${this.site}` : scene.name;
    this.#act("take_scene", { scene: name, ...this.fade });
  }

  #now(wanted, shown, muted) {
    const place = this.#byId("now");
    const words = this.#tables.console;
    place.hidden = !shown;
    if (!shown) return;
    const off = wanted && wanted !== shown;
    const values = { wanted: this.name(wanted), shown: this.name(shown) };
    const text = off ? fill(words[shown === "slate" ? "slate_instead" : "other_shown"], values, this.#tables)
      : fill(words.in_programme, values, this.#tables);
    const parts = [text, muted ? words.muted : "", this.#view.programme?.mode === "pass" ? words.passed : ""];
    place.dataset.off = String(Boolean(off));
    place.textContent = `${off ? "⚠" : "●"} ${parts.filter(Boolean).join(" · ")}`;
    place.title = place.textContent;
  }

  #floor(mayTake) {
    const place = this.#byId("floor");
    const { sites, floor } = this.#view;
    place.hidden = !sites?.length;
    const who = floor ? this.siteName(floor) : this.#tables.console.hall_speaks;
    place.querySelector("span").textContent = fill(this.#tables.console.floor, { site: who }, this.#tables);
    place.querySelector("button").hidden = !floor || !mayTake;
  }
}
