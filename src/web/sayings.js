// What the page says for longer than a moment: in which words, and what can be pressed. When it is
// said is app.js' business.

import { Notices } from "./notices.js";

const ERROR = "error";

export class Sayings extends Notices {
  /** A page that came over plain http. */
  insecure() {
    this.show("insecure", "No microphone here: this page came over plain http from another "
      + "machine, and browsers then give none. Use the server’s https address.");
  }

  serverGone(retry) {
    const text = "The server is gone. Trying to reach it again…";
    this.show("server", text, { kind: ERROR, actions: [{ label: "Try now", act: retry }] });
  }

  otherTab(useThis) {
    const actions = [{ label: "Use this tab", act: useThis }];
    this.show("taken", "You went on in another tab. This one sleeps.", { actions });
  }

  /** `again` and `listen` are left out where one is in the call already. */
  noMicrophone(text, { again, listen } = {}) {
    const actions = [this.#close("mic")];
    if (listen) actions.unshift({ label: "Only listen", test: "listen-only", act: listen });
    if (again) actions.unshift({ label: "Try again", test: "mic-again", act: again });
    this.show("mic", text, { kind: ERROR, actions });
  }

  noMedia() {
    this.show("media", "The server answers, but no sound gets through. A firewall may block its "
      + "UDP port. Still trying.", { kind: ERROR });
  }

  soundHeldBack(unlock) {
    const actions = [{ label: "Tap to hear", test: "unlock", act: unlock }];
    this.show("sound", "The browser holds the sound back.", { kind: ERROR, actions });
  }

  /** After a reload: the call goes on, but browsers want a press before sound. */
  wasInCall(name, { back, forget }) {
    this.show("again", `You were in a call: ${name}.`, { actions: [
      { label: "Return", test: "rejoin", act: back },
      { label: "No", act: forget },
    ] });
  }

  /** It stays until read: whoever was put out must not think of a bad line. */
  kicked(text, again) {
    this.show("kicked", text, { kind: ERROR, actions: [
      { label: "Call again", test: "call-again", act: again },
      this.#close("kicked"),
    ] });
  }

  hideAll(...keys) {
    for (const key of keys) this.hide(key);
  }

  #close(key) {
    return { label: "Close", act: () => this.hide(key) };
  }
}
