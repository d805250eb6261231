// Tells when the machine probably slept or changed networks. Browsers say neither plainly, so any
// sign will do: to look once too often costs a ping.

const TICK_MS = 2000;
/** Timers of hidden pages run late by a second or so; this late means that nothing ran. */
const LATE_MS = 10000;
const LONG_HIDDEN_MS = 15000;
/** Signs come in bursts. */
const AGAIN_AFTER_MS = 1000;

/** `wake()` is called at each sign, `look()` each time somebody looks at the page again. */
export function watchWaking({ wake, look }) {
  let wokenAt = 0;
  const woken = () => {
    if (Date.now() - wokenAt < AGAIN_AFTER_MS) return;
    wokenAt = Date.now();
    wake();
  };
  let tickedAt = Date.now();
  setInterval(() => {
    const late = Date.now() - tickedAt - TICK_MS;
    tickedAt = Date.now();
    if (late > LATE_MS) woken();
  }, TICK_MS);
  let hiddenAt = Date.now();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenAt = Date.now();
    else if (Date.now() - hiddenAt > LONG_HIDDEN_MS) woken();
    else look();
  });
  addEventListener("online", woken);
  addEventListener("pageshow", (event) => event.persisted && woken());
  navigator.connection?.addEventListener("change", woken);
}
