// Graphics: forms that keep their texts, what is shown just now, and names that were shown before.

import { keep, kept } from "./keep.js";
import { make } from "./words.js";

const REMEMBERED = 12;

export class Graphics {
  #root;
  #tables;
  #act;
  #meeting;
  #forms;
  #view = {};
  #districts = "";

  /** `act(command, args)` sends a command and gives whether it was accepted. */
  constructor(root, tables, { meeting, speaker }, act) {
    this.#root = root;
    this.#tables = tables;
    this.#act = act;
    this.#meeting = meeting;
    this.#forms = [...root.querySelectorAll("form.graphic")];
    const texts = kept(this.#key("texts"), {});
    for (const form of this.#forms) {
      const { graphic } = form.dataset;
      this.#write(form, texts[graphic] ?? (graphic === "lower_third" ? { name: speaker ?? "" } : {}));
      form.addEventListener("input", () => this.#keepTexts());
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#showText(graphic, this.#read(form));
      });
      form.querySelector(".hide").addEventListener("click", () => act("graphics", { graphic }));
    }
    for (const button of root.querySelectorAll("[data-mark]")) {
      button.addEventListener("click", () => {
        const graphic = button.dataset.mark;
        const hide = button.getAttribute("aria-pressed") === "true";
        act("graphics", hide ? { graphic } : { graphic, shown: {} });
      });
    }
    this.#drawRemembered();
  }

  /** How many graphics with words are in the picture. */
  get shownCount() {
    return this.#forms.filter((form) => this.#view.graphics?.[form.dataset.graphic]).length;
  }

  show(view, may) {
    this.#view = view;
    const shown = view.graphics ?? {};
    const words = this.#tables.console;
    for (const form of this.#forms) {
      const now = shown[form.dataset.graphic];
      const sign = form.querySelector(".on-air");
      sign.dataset.shown = String(Boolean(now));
      sign.textContent = now ? `● ${words.is_shown}` : `○ ${words.is_hidden}`;
      form.querySelector(".hide").disabled = !now || !may;
      form.querySelector(".show").disabled = !may;
      const texts = now && typeof now === "object" ? Object.values(now).filter(Boolean).join(" · ") : "";
      const place = form.querySelector(".shown-text");
      place.textContent = place.title = texts;
    }
    for (const button of this.#root.querySelectorAll("[data-mark]")) {
      const on = Boolean(shown[button.dataset.mark]);
      button.setAttribute("aria-pressed", String(on));
      button.querySelector("small").textContent = on ? `● ${words.is_shown}` : `○ ${words.is_hidden}`;
      button.disabled = !may;
    }
    for (const button of this.#root.querySelectorAll("#remembered button")) button.disabled = !may;
    this.#drawDistricts(view.sites ?? []);
  }

  async #showText(graphic, texts) {
    if (graphic === "next" && !texts.text_kk && !texts.text_ru) return;
    const accepted = await this.#act("graphics", { graphic, shown: texts });
    if (accepted && graphic === "lower_third") this.#remember(texts);
  }

  #key(what) {
    return `console-${what}:${this.#meeting}`;
  }

  #read(form) {
    const texts = {};
    for (const [name, value] of new FormData(form)) texts[name] = value.trim();
    return texts;
  }

  #write(form, texts) {
    for (const field of form.querySelectorAll("[name]")) field.value = texts[field.name] ?? "";
  }

  #keepTexts() {
    keep(this.#key("texts"), Object.fromEntries(
      this.#forms.map((form) => [form.dataset.graphic, this.#read(form)]),
    ));
  }

  #remember(texts) {
    const same = (one) => one.name === texts.name && one.office_kk === texts.office_kk
      && one.office_ru === texts.office_ru;
    const before = kept(this.#key("names"), []).filter((one) => !same(one));
    keep(this.#key("names"), [texts, ...before].slice(0, REMEMBERED));
    this.#drawRemembered();
  }

  #drawRemembered() {
    const all = kept(this.#key("names"), []);
    const form = this.#forms.find((one) => one.dataset.graphic === "lower_third");
    const items = all.map((texts) => {
      const item = make("li");
      const fill = make("button", texts.name, { type: "button", class: "recall" });
      const office = texts[`office_${document.documentElement.lang}`] || texts.office_ru || texts.office_kk;
      if (office) fill.append(make("small", office));
      fill.addEventListener("click", () => {
        this.#write(form, texts);
        this.#keepTexts();
      });
      const label = this.#tables.console.show;
      const show = make("button", label, { type: "button", "aria-label": `${label}: ${texts.name}` });
      show.addEventListener("click", () => {
        this.#write(form, texts);
        this.#keepTexts();
        this.#showText("lower_third", texts);
      });
      item.append(fill, show);
      return item;
    });
    const none = make("li", this.#tables.console.none_yet, { class: "none" });
    this.#root.querySelector("#remembered").replaceChildren(...(items.length ? items : [none]));
  }

  #drawDistricts(sites) {
    const names = sites.flatMap((site) => [site.names?.kk, site.names?.ru]).filter(Boolean);
    if (names.join() === this.#districts) return;
    this.#districts = names.join();
    const options = names.map((value) => make("option", "", { value }));
    this.#root.querySelector("#districts").replaceChildren(...options);
  }
}
