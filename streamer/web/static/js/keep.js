// What this browser keeps for its user: switches and texts. Never anything that the run decides.

/** A kept value; `fallback` where nothing readable is kept. */
export function kept(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? fallback;
  } catch {
    return fallback;
  }
}

/** Keep a value. A full or forbidden store costs the memory, not the work. */
export function keep(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Nothing to do: the page works without it.
  }
}

/** A checkbox whose state is kept; `act(on)` now and at every change. */
export function keepSwitch(checkbox, name, fallback, act) {
  checkbox.checked = kept(name, fallback);
  checkbox.addEventListener("change", () => {
    keep(name, checkbox.checked);
    act(checkbox.checked);
  });
  act(checkbox.checked);
}

/** Whether the browser says that its line is slow or costs money (not every browser can tell). */
export function slowLine() {
  const line = navigator.connection;
  if (!line) return false;
  return line.saveData === true || ["slow-2g", "2g", "3g"].includes(line.effectiveType);
}
