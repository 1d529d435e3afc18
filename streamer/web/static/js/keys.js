// Keys of the console. They may be switched off, and are silent while somebody types.

const STORED = "console-keys";
const TYPING = "input:not([type=checkbox], [type=radio]), select, textarea, dialog";

export class Keys {
  /** `actions` by `KeyboardEvent.code`: the place of the key, whatever alphabet is switched on. */
  constructor(checkbox, actions) {
    checkbox.checked = localStorage.getItem(STORED) !== "off";
    checkbox.addEventListener("change", () => {
      localStorage.setItem(STORED, checkbox.checked ? "on" : "off");
    });
    document.addEventListener("keydown", (event) => {
      if (!checkbox.checked || event.target.closest?.(TYPING) || event.repeat) return;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
      const action = digit ? () => actions.digit(Number(digit[1])) : actions[event.code];
      if (!action) return;
      event.preventDefault();
      action();
    });
  }
}
