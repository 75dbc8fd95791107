// The single-letter keys of the console, which can be switched off: who speaks to the browser types letters by accident.
const KEPT = "taxisvc.keys";

class Keys {
  isOn = $state(read());

  toggle(): void {
    this.isOn = !this.isOn;
    try {
      localStorage.setItem(KEPT, this.isOn ? "on" : "off");
    } catch {
      // Then it holds for this page alone.
    }
  }

  /** The key that was pressed, whatever the keyboard writes with it: `KeyC`, `Slash`; nothing where it is meant for something else. */
  pressed(event: KeyboardEvent): string | null {
    const target = event.target as HTMLElement;
    const isTyping = target.closest("input, textarea, select, dialog") !== null;
    // A question that is open is answered first.
    const isAsked = document.querySelector("dialog[open]") !== null;
    return !this.isOn || isTyping || isAsked || event.ctrlKey || event.metaKey || event.altKey ? null : event.code;
  }
}

function read(): boolean {
  try {
    return localStorage.getItem(KEPT) !== "off";
  } catch {
    return true;
  }
}

export const keys = new Keys();
