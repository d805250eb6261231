// A stretch of time on the screen that can be pressed: the waveform, or somebody's lane. Where the
// playhead stands all strips know by the property --at of the view around them.

import { h } from "./dom.js";

/**
 * `draw(canvas)` paints it, now and whenever its size or the colours change. `jump(share)` goes
 * there; `look(share)` shows where a drag would go, `look(null)` that there is none any more.
 */
export function makeStrip({ draw, jump, look, ...attributes }) {
  const canvas = h("canvas", {});
  const element = h("div", { ...attributes, class: `strip ${attributes.class ?? ""}` }, canvas,
    h("i", { class: "ahead" }), h("i", { class: "head" }));
  const paint = () => canvas.clientWidth > 0 && draw(canvas);
  new ResizeObserver(paint).observe(canvas);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  dark.addEventListener("change", paint);
  listenToPointer(element, { jump, look });
  return { element, paint, close: () => dark.removeEventListener("change", paint) };
}

/** A drag only looks; it jumps once, when it ends: each jump asks the server for another range. */
function listenToPointer(element, { jump, look }) {
  const shareAt = ({ clientX }) => {
    const { left, width } = element.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - left) / width));
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    look(shareAt(event));
  });
  element.addEventListener("pointermove", (event) => {
    if (element.hasPointerCapture(event.pointerId)) look(shareAt(event));
  });
  element.addEventListener("pointerup", (event) => {
    if (!element.hasPointerCapture(event.pointerId)) return;
    look(null);
    jump(shareAt(event));
  });
  // A finger that goes up or down scrolls the page after all.
  element.addEventListener("pointercancel", () => look(null));
}
