// Words and numbers as people read them. The tables of words come from the server.

const PLACE = /%\((\w+)\)s/g;
// What a feed's id has before the name that people know.
const FEED_ID = /^feed:(?:site:)?(?=.)/;

/** Fill the %(name)s places of a text; values that are words of ours are translated. */
export function fill(text, values, tables) {
  return text.replace(PLACE, (_, name) => word(values[name], tables));
}

function word(value, tables) {
  if (value === undefined || value === null) return "–";
  if (typeof value === "boolean") return tables.console[value ? "yes" : "no"];
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : value.toFixed(1);
  if (Array.isArray(value)) return value.map((one) => word(one, tables)).join(", ");
  // `names`: of this meeting's feeds, sites and scenes, as its snapshot tells them.
  for (const name of ["names", "states", "commands", "leg_states", "scenes", "feeds", "detectors", "graphics"]) {
    const table = tables[name] ?? {};
    if (Object.hasOwn(table, value)) return table[value];
  }
  return String(value).replace(FEED_ID, "");
}

/** An error of the API in words; the server's own message when there is no translation. */
export function errorText(error, tables) {
  const text = tables.errors[error.code];
  return text === undefined ? error.message : fill(text, error.tried ?? {}, tables);
}

/** Seconds as h:mm:ss, or mm:ss below an hour. */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  const minutes = two(Math.floor(whole / 60) % 60);
  const hours = Math.floor(whole / 3600);
  return (hours ? `${hours}:` : "") + `${minutes}:${two(whole % 60)}`;
}

/** Time of day of POSIX seconds, `offset` minutes ahead of UTC. */
export function clock(seconds, offset, withSeconds = true) {
  // Not the browser's own zone tables: old ones still have Almaty at UTC+6.
  const text = new Date((seconds + offset * 60) * 1000).toISOString();
  return text.slice(11, withSeconds ? 19 : 16);
}

/** Date of POSIX seconds as it is written in Kazakhstan: 19.02.2021. */
export function day(seconds, offset) {
  const text = new Date((seconds + offset * 60) * 1000).toISOString();
  return text.slice(0, 10).split("-").reverse().join(".");
}

/** Bytes in the unit that reads well. */
export function size(bytes) {
  let count = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (count < 1000) return `${unit === "B" ? Math.round(count) : count.toFixed(1)} ${unit}`;
    count /= 1000;
  }
  return `${count.toFixed(2)} TB`;
}

/** A level or a loudness as it is read on a desk: −23.1, with a sign where it is a change. */
export function decibel(value, digits = 1, signed = false) {
  if (!Number.isFinite(value)) return "–";
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return text;
  return (value < 0 ? "−" : signed ? "+" : "") + text;
}

/** Make an element with text (never markup) and attributes. */
export function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}
