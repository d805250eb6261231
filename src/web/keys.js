// The keyboard in a call: M mutes, Space held down lets a muted one speak.

const TYPES_IN = "input, select, textarea";
const PRESSES = "button, a, summary, input, select, textarea, [role=alertdialog]";

/** `call` {isOn(), isMuted(), toggle(), setMuted(muted)}. */
export function listenToKeys(call) {
  let held = false;
  const release = () => {
    if (held) call.setMuted(true);
    held = false;
  };
  addEventListener("keydown", (event) => {
    if (!call.isOn() || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.code === "KeyM" && !event.target.closest?.(TYPES_IN)) {
      call.toggle();
    } else if (event.code === "Space" && !event.target.closest?.(PRESSES) && call.isMuted()) {
      event.preventDefault();
      held = true;
      call.setMuted(false);
    }
  });
  addEventListener("keyup", (event) => event.code === "Space" && release());
  addEventListener("blur", release);
}
