// The page's address after the #: which recordings are looked for, or which one is open.

const VIEW = "recordings";
/** What a list can be narrowed by, as the server calls it; `from` and `to` are days, YYYY-MM-DD. */
const FILTERS = ["text", "chat", "person", "tag", "from", "to", "favourite"];

/** {id, filters} of `#recordings`, `#recordings?text=..` or `#recordings/ID`; null elsewhere. */
export function readAddress(hash) {
  const [path, query = ""] = hash.replace(/^#/, "").split("?", 2);
  const [view, id = "", ...rest] = path.split("/");
  if (view !== VIEW || rest.length > 0) return null;
  const asked = new URLSearchParams(query);
  const pairs = FILTERS.map((name) => [name, asked.get(name) ?? ""]);
  return { id: decoded(id), filters: Object.fromEntries(pairs.filter(([, value]) => value)) };
}

export function listAddress(filters = {}) {
  const query = queryOf(filters);
  return query ? `#${VIEW}?${query}` : `#${VIEW}`;
}

export function recordingAddress(id) {
  return `#${VIEW}/${encodeURIComponent(id)}`;
}

/** `a=1&b=2` of what is not empty. */
export function queryOf(pairs) {
  const told = Object.entries(pairs).filter(([, value]) => value !== "" && value != null);
  return new URLSearchParams(told).toString();
}

/** An address that somebody has cut in the middle of a %20 is one that leads nowhere. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
