// The picture of the programme, once a second and never two requests at a time: lines are bad.

const EVERY_MS = 1000;
const DEADLINE_MS = 5000;

export class Preview {
  #image;
  #address;
  #on = false;

  constructor(image, address) {
    this.#image = image;
    this.#address = address;
    this.#loop();
  }

  set on(value) {
    this.#on = value;
    if (!value) this.#show(null);
  }

  async #loop() {
    for (;;) {
      const began = Date.now();
      if (this.#on && !document.hidden) await this.#once();
      const rest = Math.max(100, EVERY_MS - (Date.now() - began));
      await new Promise((done) => setTimeout(done, rest));
    }
  }

  async #once() {
    try {
      const answer = await fetch(this.#address, { signal: AbortSignal.timeout(DEADLINE_MS) });
      this.#show(answer.ok ? await answer.blob() : null);
    } catch {
      this.#show(null);
    }
  }

  #show(picture) {
    const before = this.#image.src;
    this.#image.hidden = !picture || !this.#on;
    this.#image.parentElement.classList.toggle("has", !this.#image.hidden);
    if (picture) this.#image.src = URL.createObjectURL(picture);
    if (picture && before.startsWith("blob:")) URL.revokeObjectURL(before);
  }
}
