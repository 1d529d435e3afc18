// The form to plan a meeting: choices follow the region, refusals point at the field.

import { send } from "./send.js";
import { errorText, fill, make } from "./words.js";

const form = document.getElementById("plan");
if (form) {
  const regions = JSON.parse(form.dataset.regions);
  const tables = JSON.parse(form.dataset.texts);
  form.elements.region.addEventListener("change", () => offer(form, regions));
  form.elements.starts.addEventListener("input", () => {
    echo(form, regions[form.elements.region.value]);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    plan(form, tables);
  });
  offer(form, regions);
}

function offer(form, regions) {
  const region = regions[form.elements.region.value];
  if (!region) return;
  echo(form, region);
  form.elements.hall.replaceChildren(
    ...region.halls.map((hall) => make("option", hall.name, { value: hall.id })));
  document.getElementById("destinations").replaceChildren(...region.destinations.map((one) => {
    const label = make("label", "", { class: "check" });
    const box = make("input", "", { type: "checkbox", name: "destination", value: one.id });
    box.checked = one.enabled;
    box.disabled = !one.enabled;
    label.append(box, one.name);
    return label;
  }));
}

/** The date as it is written here: the browser may show its field in another country's order. */
function echo(form, region) {
  const [day, time] = form.elements.starts.value.split("T");
  const said = day && time ? `${day.split("-").reverse().join(".")} ${time} · ` : "";
  document.getElementById("chosen").textContent = said + region.zone;
}

function typed(form) {
  const value = (name) => form.elements[name].value.trim();
  const boxes = [...form.querySelectorAll("[name=destination]:checked")];
  return {
    region: value("region"),
    title: { kk: value("title.kk"), ru: value("title.ru") },
    starts: value("starts"),
    ends: Number(value("ends")),
    hall: value("hall"),
    speaker: value("speaker"),
    destinations: boxes.map((box) => box.value),
    end_by_schedule: form.elements.end_by_schedule.checked,
  };
}

async function plan(form, tables) {
  const button = form.querySelector("button.primary");
  button.disabled = true;
  try {
    const answer = await send("POST", "/api/meetings", form.dataset.csrf, typed(form));
    if (answer.ok) location.assign(`/meetings/${answer.body.id}`);
    else refuse(form, tables, answer.body.error);
  } catch {
    complain(form, tables.console.not_sent);
  } finally {
    button.disabled = false;
  }
}

function refuse(form, tables, error) {
  const fields = Object.keys(error.tried?.fields ?? {});
  if (error.tried?.field) fields.push(error.tried.field);
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  for (const name of fields) form.elements[name]?.setAttribute?.("aria-invalid", "true");
  const named = fields.map((name) => tables.fields[name.split("[")[0]]).filter(Boolean);
  const nearest = error.tried?.nearest ?? error.tried?.possible;
  const parts = [named.length ? `${named.join(", ")}: ` : "", errorText(error, tables)];
  if (nearest?.length) parts.push(" ", fill(tables.console.possible, { commands: nearest.join(", ") }, tables));
  complain(form, parts.join(""));
}

function complain(form, text) {
  const place = form.querySelector(".error");
  place.textContent = text;
  place.hidden = false;
  place.scrollIntoView({ block: "nearest" });
}
