// The list of sources: picture, level, what is wrong and what helps, floor, sound, restart.

import { Source } from "./source.js";
import { fill } from "./words.js";

/** Every source of a snapshot, the hall's first: {feed, site, name, feedState, …}. */
export function sourcesOf(view, tables, siteName) {
  const feeds = view.feeds ?? {};
  const sites = view.sites ?? [];
  const legs = new Map((view.legs ?? []).map((leg) => [leg.id, leg]));
  const signals = view.signals ?? [];
  const of = (feed, name, site) => {
    const leg = legs.get(feed);
    const faults = signals.filter((one) => one.feed === feed);
    const state = site?.state === "NONE" ? "NONE" : feeds[feed]?.state ?? site?.state ?? "NONE";
    const broken = leg?.health === "red" || state === "LOST";
    return {
      feed, site: site?.id ?? "", names: site?.names, name, state, leg, faults, settings: feeds[feed],
      bad: broken || faults.length > 0,
      ingest: (view.ingest ?? []).find((one) => one.feed === feed),
      floor: Boolean(site) && view.floor === site.id,
    };
  };
  const ofSites = new Set(sites.map((site) => site.feed ?? `feed:site:${site.id}`));
  const own = Object.keys(feeds).filter((feed) => !ofSites.has(feed));
  return [
    ...own.map((feed) => of(feed, feedName(feed, legs, tables), null)),
    ...sites.map((site) => of(site.feed ?? `feed:site:${site.id}`, siteName(site.id), site)),
  ];
}

function feedName(feed, legs, tables) {
  const id = feed.replace(/^feed:/, "");
  return legs.get(feed)?.name || tables.feeds[id] || tables.scenes[id] || id;
}

export class Sources {
  #list;
  #tables;
  #acts;
  #rows = new Map();
  #filter;
  #onlyBad;
  #counted;
  #watcher;

  /** `acts`: {command(name, args), pick(site), pictures (of preview.js)}. */
  constructor(root, tables, acts) {
    const byId = (id) => root.querySelector(`#${id}`);
    this.#list = byId("sources");
    this.#filter = byId("filter");
    this.#onlyBad = byId("only-bad");
    this.#counted = byId("counted");
    this.#tables = tables;
    this.#acts = acts;
    this.#filter.addEventListener("input", () => this.#sift());
    this.#filter.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.#filter.value = "";
      this.#sift();
    });
    this.#onlyBad.addEventListener("change", () => this.#sift());
    this.#watcher = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) {
        const row = this.#rows.get(target.dataset.feed);
        if (row) row.seen = isIntersecting;
        acts.pictures.seen(target.dataset.feed, isIntersecting);
      }
    }, { root: this.#list });
  }

  /** Show `sources` at `now` (POSIX seconds); `chosen` is the site that scenes are taken with. */
  show(sources, now, possible, chosen) {
    const seen = new Set(sources.map((one) => one.feed));
    for (const [feed, row] of this.#rows) {
      if (seen.has(feed)) continue;
      this.#watcher.unobserve(row.element);
      this.#acts.pictures.forget(feed);
      row.element.remove();
      this.#rows.delete(feed);
    }
    for (const source of sources) {
      const row = this.#rows.get(source.feed) ?? this.#newRow(source);
      row.show(source, now, possible, chosen);
    }
    this.#sift();
  }

  /** Levels as they come five times a second; only what is seen is drawn. */
  levels(levels) {
    for (const [feed, row] of this.#rows) if (row.seen) row.level(levels?.[feed]);
  }

  #newRow(source) {
    const row = new Source(source, this.#tables, this.#acts);
    this.#rows.set(source.feed, row);
    this.#list.append(row.element);
    this.#acts.pictures.watch(source.feed, row.image);
    this.#watcher.observe(row.element);
    return row;
  }

  /** Hide what the filter does not ask for, and say so when something wrong is among it. */
  #sift() {
    const plain = (text) => text.normalize("NFC").toLocaleLowerCase();
    const wish = plain(this.#filter.value.trim());
    let [shown, hiddenBad] = [0, 0];
    for (const row of this.#rows.values()) {
      const fits = !wish || plain(row.words).includes(wish);
      row.element.hidden = !fits || (this.#onlyBad.checked && !row.bad);
      if (!row.element.hidden) shown += 1;
      else if (row.bad) hiddenBad += 1;
    }
    const words = this.#tables.console;
    const values = { shown, all: this.#rows.size, bad: hiddenBad };
    this.#counted.dataset.bad = String(hiddenBad > 0);
    this.#counted.textContent = shown === this.#rows.size ? ""
      : fill(words[hiddenBad ? "filtered_bad" : "filtered"], values, this.#tables);
  }
}
