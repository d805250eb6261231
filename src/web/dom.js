// Building and updating elements. Text goes in as text nodes only: names are strangers' input.

/** `h("button", { class: "x", onclick: f, "data-test": "y" }, "text", child)`. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A symbol of the sprite in index.html. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Writes only what changed, so that live regions do not speak twice. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    const text = String(value);
    if (element.getAttribute(name) !== text) element.setAttribute(name, text);
  }
}

/**
 * Makes the children of `parent` be `keys` in this order, reusing what is there, so that keyboard
 * focus survives. `rows` maps a key to {element, ...}; `make(key)` builds a missing one.
 */
export function arrange(parent, rows, keys, make) {
  const wanted = new Set(keys);
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    row.element.remove();
    rows.delete(key);
  }
  const before = new Map([...parent.children].map((element, place) => [element, place]));
  for (const key of keys) if (!rows.has(key)) rows.set(key, make(key));
  const after = new Map(keys.map((key, place) => [rows.get(key).element, place]));
  for (const [element, place] of after) {
    const comes = Math.abs((before.get(element) ?? Infinity) - place);
    // Who goes further down than the next one comes is put at the end: else all between move up.
    while (after.get(parent.children[place]) - place > comes) {
      move(parent, parent.children[place], null);
    }
    const here = parent.children[place];
    if (here !== element) move(parent, element, here ?? null);
  }
}

/** Where the browser can (moveBefore), with the focus and the open menu inside. */
function move(parent, element, before) {
  if (parent.moveBefore && element.parentNode === parent) parent.moveBefore(element, before);
  else parent.insertBefore(element, before);
}

/** One or two letters that stand for a name. */
export function initials(name) {
  const words = name.match(/(?<!\S)[\p{L}\p{N}]\S*/gu) ?? [name.trim()];
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters.map((word) => [...word][0] ?? "?").join("").toUpperCase();
}

/** A hue of 0..359 that belongs to a jid. */
export function hueOf(jid) {
  let hash = 0x811c9dc5;
  for (const letter of jid) hash = Math.imul(hash ^ letter.codePointAt(0), 0x01000193);
  return (hash >>> 8) % 360;
}
