// The console of one meeting. The server says what is; this page shows it and sends commands.

import { Graphics } from "./graphics.js";
import { keepSwitch, slowLine } from "./keep.js";
import { Keys } from "./keys.js";
import { Legs } from "./legs.js";
import { Log } from "./log.js";
import { Pictures } from "./preview.js";
import { Problems, problemsOf } from "./problems.js";
import { Scenes } from "./scenes.js";
import { send } from "./send.js";
import { Sound } from "./sound.js";
import { Sources, sourcesOf } from "./sources.js";
import { Tabs } from "./tabs.js";
import { clock, day, errorText, fill, make, size, span } from "./words.js";

const ANSWER_MS = 8000;
const STALE_S = 5;
const FAR_S = 24 * 3600; // further away than this a date says more than a countdown
const ASKED = new Set(["end", "cancel"]);
const IN_THE_LIST = ["prepare", "line_up", "go_live", "end", "postpone", "cancel"];

const root = document.getElementById("console");
const data = root.dataset;
const tables = JSON.parse(data.texts);
const rights = JSON.parse(data.rights);
const offset = Number(data.offset);
const address = `/api/meetings/${data.meeting}`;
const byId = (id) => document.getElementById(id);

let view = JSON.parse(data.view);
let ahead = view.now - Date.now() / 1000; // how far the server's clock is ahead of ours
let lastWord = Date.now();
let trouble = JSON.parse(data.trouble);
const waiting = new Map();
// The event that a command is done may come before the answer that names the command.
const early = new Map();

const now = () => Date.now() / 1000 + ahead;
const mayRun = (command) => rights.includes(["cancel", "postpone"].includes(command) ? "plan" : "run");
const possible = (command) => view.allowed.includes(command) && mayRun(command);

const legs = new Legs(byId("legs"), tables, (leg) => command("restart_leg", { leg }));
const log = new Log(byId("log"), tables, offset);
const pictures = new Pictures(byId("preview"), `${address}/preview.jpg`);
const sound = new Sound(byId("meter"), byId("loudness"), tables, Number(data.target));
const scenes = new Scenes(root, tables, command);
const sources = new Sources(root, tables, {
  command, pictures, fade: () => scenes.fade,
  pick: (site) => {
    scenes.site = scenes.chosen === site ? "" : site;
    showSources();
  },
});
const graphics = new Graphics(byId("panel-graphics"), tables, data, command);
const tabs = new Tabs(root.querySelector(".tabs"), (name) => { if (name === "log") showBadLines(0); });
const problems = new Problems(byId("problems"), tables, (tab) => tabs.choose(tab));
let badLines = 0;

function show() {
  const state = byId("state");
  state.dataset.state = view.state;
  state.querySelector("strong").textContent = tables.states[view.state] ?? view.state;
  document.title = `${tables.states[view.state]} · ${document.querySelector("h1").textContent}`;
  scenes.show(view, possible);
  sound.show(view);
  if (view.graphics) graphics.show(view, possible("graphics"));
  showSources();
  showFacts();
  showCommands();
  pictures.on = ["LINE_UP", "LIVE", "ENDING"].includes(view.state);
  tick();
}

/** The sources, the tabs that there is something for, and what does not work. */
function showSources() {
  const all = sourcesOf(view, tables, (id) => scenes.siteName(id));
  learnNames(all);
  legs.show(view.legs, view.at ?? view.now, possible("restart_leg"));
  sources.show(all, now(), possible, scenes.chosen);
  const words = tables.console;
  tabs.offer([
    ...(all.length ? ["sources"] : []), ...(view.graphics ? ["graphics"] : []), "legs", "log",
  ]);
  const found = problemsOf(view, tables, now());
  const red = found.filter((one) => one.tab === "legs").length;
  tabs.badge("sources", "⚠", all.filter((one) => one.bad).length, words.bad_sources_badge);
  tabs.badge("legs", "✕", red, words.bad_legs_badge);
  tabs.badge("graphics", "●", graphics.shownCount, words.is_shown, "on");
  problems.show(found, all, view.legs.length > 0);
}

/** Lines of the log name feeds, sites and scenes by their ids; here is what they are called. */
function learnNames(all) {
  const names = { programme: tables.console.programme };
  for (const one of all) names[one.feed] = one.name;
  for (const site of view.sites ?? []) {
    names[site.id] = scenes.siteName(site.id);
    for (const scene of view.scenes ?? []) {
      if (scene.takes) names[`${scene.name}:${site.id}`] = scenes.name(`${scene.name}:${site.id}`);
    }
  }
  for (const scene of view.scenes ?? []) names[scene.name] = scenes.name(scene.name);
  tables.names = names;
}

function showBadLines(count) {
  badLines = count;
  tabs?.badge("log", "⚠", count, tables.console.bad_lines_badge);
}

function showFacts() {
  const lines = [];
  const disk = view.disk ?? {};
  if (Number.isFinite(disk.hours_left)) {
    lines.push(fill(tables.console.hours_left, { hours: disk.hours_left }, tables));
  } else if (disk.free_bytes) {
    lines.push(fill(tables.console.disk_free, { size: size(disk.free_bytes) }, tables));
  }
  const { late, slips } = view.programme ?? {};
  if (late || slips) lines.push(fill(tables.console.late_frames, { late: late ?? 0, slips: slips ?? 0 }, tables));
  // Where there is a list of sources, addresses stand there.
  if (!view.feeds) for (const entry of view.ingest ?? []) lines.push(entry.address);
  byId("facts").replaceChildren(...lines.map((text) => make("li", text, { title: text })));
}

function showCommands() {
  const next = view.next?.command;
  const button = byId("next-button");
  button.hidden = !next || !possible(next);
  if (!button.hidden && button.dataset.command !== next) {
    button.dataset.command = next;
    button.replaceChildren(tables.commands[next], make("kbd", "N"));
  }
  const rest = IN_THE_LIST.filter((name) => name !== next && possible(name));
  const others = byId("others");
  if (others.dataset.shown !== rest.join()) {
    others.dataset.shown = rest.join();
    others.replaceChildren(...rest.map((name) => {
      const other = make("button", tables.commands[name], { type: "button", "data-command": name });
      other.addEventListener("click", () => command(name));
      return other;
    }));
  }
  const replan = byId("replan");
  if (replan) replan.hidden = !["PLANNED", "POSTPONED"].includes(view.state);
}

/** What changes with the clock alone. */
function tick() {
  const t = now();
  byId("local").textContent = clock(t, offset);
  byId("utc").textContent = clock(t, 0);
  const onAir = view.state === "LIVE" && view.on_air_since;
  byId("on-air").textContent = onAir ? span(t - view.on_air_since) : "–";
  showNext(t);
  showTrouble();
}

function showNext(t) {
  const place = byId("next");
  const next = view.next;
  place.dataset.late = "false";
  if (!next) {
    place.textContent = view.state === "ENDING" ? tables.console.sealing : "–";
    return;
  }
  const left = next.due_at - t;
  const which = left >= 0 ? "in" : next.command === "end" ? "over" : "late";
  place.dataset.late = String(left < 0 && next.command !== "end");
  if (left > FAR_S) {
    const far = `${day(next.due_at, offset)} ${clock(next.due_at, offset, false)}`;
    place.replaceChildren(`${tables.commands[next.command]} `, make("small", far));
    return;
  }
  const due = `${clock(next.due_at, offset, false)} (${clock(next.due_at, 0, false)} UTC)`;
  const count = fill(tables.console[which], { time: span(Math.abs(left)) }, tables);
  place.replaceChildren(`${tables.commands[next.command]} `, make("small", `${due} · ${count}`));
}

function showTrouble() {
  const place = byId("trouble");
  const silent = view.stale_s === null ? 0 : now() - (view.at ?? now());
  let text = "";
  if (Date.now() - lastWord > 15000) text = tables.console.offline;
  else if (trouble) text = errorText(trouble, tables);
  else if (silent > STALE_S) {
    text = fill(tables.console.stale, { seconds: Math.round(silent) }, tables);
  }
  place.textContent = text;
  place.hidden = !text;
}

function say(text, bad = false) {
  byId("said").textContent = text;
  byId("said").dataset.bad = String(bad);
}

/** Ask when it must be asked, send, and show what became of it; gives whether it was taken. */
async function command(name, args = {}) {
  if (!possible(name)) return false;
  const shown = { command: name };
  if (ASKED.has(name)) {
    const reason = await sure(tables.console[`sure_${name}`]);
    if (reason === null) return false;
    if (reason) args = { ...args, reason };
  }
  say(fill(tables.console.sent, shown, tables));
  let answer;
  try {
    answer = await send("POST", `${address}/commands`, data.csrf, { command: name, ...args });
  } catch {
    say(tables.console.not_sent, true);
    return false;
  }
  if (!answer.ok) {
    refused(name, answer.body);
    return false;
  }
  const timer = setTimeout(() => {
    waiting.delete(answer.body.command_id);
    if (view.allowed.includes(name)) say(fill(tables.console.no_answer, shown, tables));
    else say(fill(tables.console.done, shown, tables));
  }, ANSWER_MS);
  waiting.set(answer.body.command_id, { name, timer });
  const known = early.get(answer.body.command_id);
  if (known) settle(known);
  return true;
}

function refused(name, body) {
  const can = (body.allowed ?? []).map((one) => tables.commands[one] ?? one).join(", ");
  const parts = [fill(tables.console.refused, { command: name }, tables), errorText(body.error, tables)];
  if (body.allowed) parts.push(fill(tables.console.possible, { commands: can || tables.console.nothing }, tables));
  say(parts.join(" "), true);
}

/** Ask for a confirmation; gives the reason that was typed, or null for no. */
function sure(question) {
  const dialog = byId("sure");
  if (dialog.open) return Promise.resolve(null);
  dialog.querySelector("p").textContent = question;
  dialog.returnValue = "no";
  dialog.querySelector("input").value = "";
  dialog.showModal();
  dialog.querySelector("button[value=no]").focus(); // one key too many must not end a meeting
  return new Promise((done) => {
    dialog.addEventListener("close", () => {
      done(dialog.returnValue === "yes" ? dialog.querySelector("input").value.trim() : null);
    }, { once: true });
  });
}

function settle(line) {
  const sent = waiting.get(line.data.id);
  if (!sent) {
    early.set(line.data.id, line);
    if (early.size > 50) early.delete(early.keys().next().value);
    return;
  }
  clearTimeout(sent.timer);
  waiting.delete(line.data.id);
  if (line.name === "command_done") say(fill(tables.console.done, { command: sent.name }, tables));
  else refused(sent.name, { error: line.data.error, allowed: view.allowed });
}

let stream = null;
let withLevels = false;

/** Follow the meeting; levels, five a second, only where they are wanted. */
function listen() {
  stream?.close();
  const after = Math.max(Number(data.seq), log.last);
  stream = new EventSource(`${address}/events?after=${after}${withLevels ? "&meters=1" : ""}`);
  const on = (type, act) => stream.addEventListener(type, (event) => {
    lastWord = Date.now();
    act(JSON.parse(event.data));
  });
  on("hello", (at) => { ahead = at - Date.now() / 1000; });
  on("live", (fresh) => {
    view = fresh;
    ahead = fresh.now - Date.now() / 1000;
    show();
  });
  on("meters", ({ peak_db: levels }) => {
    if (levels.programme) sound.levels(levels.programme);
    sources.levels(levels);
  });
  on("as_run", (line) => {
    if (log.add(line) && tabs.shown !== "log") showBadLines(badLines + 1);
    if (["command_done", "command_refused"].includes(line.name)) settle(line);
  });
  on("trouble", (told) => {
    trouble = told.error;
    showTrouble();
  });
  on("beat", () => {});
}

byId("next-button").addEventListener("click", (event) => command(event.currentTarget.dataset.command));
byId("replan")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const starts = new FormData(event.target).get("starts");
  try {
    const answer = await send("PATCH", address, data.csrf, { starts });
    if (answer.ok) location.reload();
    else say(errorText(answer.body.error, tables), true);
  } catch {
    say(tables.console.not_sent, true);
  }
});
new Keys(byId("keys"), {
  KeyN: () => byId("next-button").hidden || byId("next-button").click(),
  KeyH: () => scenes.press("hall"),
  KeyS: () => scenes.press("slate"),
  KeyM: () => scenes.press("mute"),
  KeyE: () => command("end"),
  digit: (number) => scenes.press(number),
});
if (!rights.includes("run")) root.dataset.looksOn = "true"; // the style sheet leaves buttons out
// A line of 64 kbit/s carries the commands and the state; pictures and levels would fill it.
keepSwitch(byId("pictures"), "console-pictures", !slowLine(), (on) => {
  pictures.withSources = on;
  byId("sources").classList.toggle("with-pictures", on);
});
keepSwitch(byId("levels"), "console-levels", !slowLine(), (on) => {
  withLevels = on;
  sources.levels(null);
  if (stream) listen();
});

show();
JSON.parse(data.lines).forEach((line) => log.add(line));
listen();
setInterval(tick, 500);
