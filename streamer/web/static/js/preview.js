// Pictures of the programme and of sources: one a second each, never two requests at a time.
//
// Lines are bad, and commands must get through: after a picture that came slowly, the line rests as
// long as the picture took. What is not seen is not asked for.

const EVERY_MS = 1000;
const DEADLINE_MS = 8000;
const QUICK_MS = 150;
const AGAIN_MS = 5000; // after a source of which there is no picture
const OLD_MS = 4000;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

class Picture {
  dueAt = 0;
  cameAt = 0;
  seen = true;

  constructor(image, address) {
    this.image = image;
    this.address = address;
  }

  show(data) {
    const before = this.image.src;
    this.image.hidden = !data;
    this.image.parentElement.classList.toggle("has", Boolean(data));
    this.cameAt = data ? Date.now() : 0;
    if (data) this.image.src = URL.createObjectURL(data);
    else this.image.removeAttribute("src");
    if (before.startsWith("blob:")) URL.revokeObjectURL(before);
    this.age();
  }

  /** Say how old a picture is: one that stands still must not look live. */
  age() {
    const old = this.cameAt && Date.now() - this.cameAt > OLD_MS;
    const text = old ? `${Math.round((Date.now() - this.cameAt) / 1000)} s` : "";
    if ((this.image.parentElement.dataset.age ?? "") !== text) {
      this.image.parentElement.dataset.age = text;
    }
  }
}

export class Pictures {
  #address;
  #programme;
  #sources = new Map();
  #on = false;
  #withSources = false;
  #last = null;

  constructor(image, address) {
    this.#address = address;
    this.#programme = new Picture(image, address);
    this.#loop();
    setInterval(() => {
      for (const one of this.#sources.values()) one.age();
    }, EVERY_MS);
  }

  /** Whether there is a programme to look at. */
  set on(value) {
    this.#on = value;
    if (!value) this.#clear([this.#programme, ...this.#sources.values()]);
  }

  /** Whether the pictures of sources are wanted. */
  set withSources(value) {
    this.#withSources = value;
    if (!value) this.#clear([...this.#sources.values()]);
  }

  /** Keep the picture of a feed in `image`, while `seen`. */
  watch(feed, image) {
    const picture = new Picture(image, `${this.#address}?feed=${encodeURIComponent(feed)}`);
    picture.seen = false;
    this.#sources.set(feed, picture);
  }

  forget(feed) {
    this.#sources.get(feed)?.show(null);
    this.#sources.delete(feed);
  }

  seen(feed, value) {
    const picture = this.#sources.get(feed);
    if (picture) picture.seen = value;
  }

  #clear(pictures) {
    for (const one of pictures) if (one.cameAt) one.show(null);
  }

  /** What is asked for next: programme and sources in turn, of the sources the one most overdue. */
  #next() {
    if (!this.#on || document.hidden) return null;
    const now = Date.now();
    const due = this.#withSources
      ? [...this.#sources.values()].filter((one) => one.seen && one.dueAt <= now) : [];
    due.sort((a, b) => a.dueAt - b.dueAt);
    if (this.#programme.dueAt > now) return due[0] ?? null;
    return this.#last === this.#programme && due.length ? due[0] : this.#programme;
  }

  async #loop() {
    for (;;) {
      const one = this.#next();
      if (!one) {
        await pause(50);
        continue;
      }
      this.#last = one;
      const began = Date.now();
      await this.#fetch(one);
      const took = Date.now() - began;
      await pause(took > QUICK_MS ? Math.min(took, DEADLINE_MS) : 5);
    }
  }

  async #fetch(one) {
    one.dueAt = Date.now() + EVERY_MS;
    let data = null;
    try {
      const answer = await fetch(one.address, { signal: AbortSignal.timeout(DEADLINE_MS) });
      if (answer.ok) data = await answer.blob();
    } catch {
      // Shown as no picture.
    }
    if (!data && one !== this.#programme) one.dueAt = Date.now() + AGAIN_MS;
    const wanted = this.#on && (one === this.#programme || this.#withSources);
    if (wanted || !data) one.show(wanted ? data : null);
  }
}
