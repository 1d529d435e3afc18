// Keys of the console. They may be switched off, and are silent while somebody types.

const STORED = "console-keys";

export class Keys {
  /** `actions` by `KeyboardEvent.code`: the place of the key, whatever alphabet is switched on. */
  constructor(checkbox, actions) {
    checkbox.checked = localStorage.getItem(STORED) !== "off";
    checkbox.addEventListener("change", () => {
      localStorage.setItem(STORED, checkbox.checked ? "on" : "off");
    });
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest?.("input:not([type=checkbox]), select, textarea, dialog");
      if (!checkbox.checked || typing || event.repeat) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const action = actions[event.code];
      if (!action) return;
      event.preventDefault();
      action();
    });
  }
}
