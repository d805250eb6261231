// The HTTP side of recordings (docs/protocol.md, "Recordings").

import { queryOf } from "./address.js";
import { ApiError, api } from "./api.js";

const PAGE = 50;

export class Archive {
  #session;

  /** `session()` is who looks: his token may change while the page is open. */
  constructor(session) {
    this.#session = session;
  }

  /** {recordings, next?}: the newest first, from after the one of id `before` on. */
  list(filters, { before, limit = PAGE } = {}) {
    const days = { from: dayBegins(filters.from), to: dayBegins(filters.to, 1) };
    return this.#ask("GET", `?${queryOf({ ...filters, ...days, limit, before })}`);
  }

  recording(id) {
    return this.#ask("GET", pathOf(id));
  }

  /** `change` {tags?, favourite?}: the recording as lists show it. */
  mark(id, change) {
    return this.#ask("POST", pathOf(id), change);
  }

  delete(id) {
    return this.#ask("DELETE", pathOf(id));
  }

  /** Links and <audio> send no header: the token stands in the address. */
  fileAddress(id, name, { download = false } = {}) {
    const query = queryOf({ download: download || null, token: this.#session().token });
    return `${this.#path(pathOf(id))}/files/${encodeURIComponent(name)}?${query}`;
  }

  async peaks(id) {
    return (await this.file(id, "peaks.json")).json();
  }

  /** The answer that has a file. */
  async file(id, name, { signal } = {}) {
    const answer = await fetch(this.fileAddress(id, name), { cache: "no-store", signal });
    if (!answer.ok) throw new ApiError(answer.status, name);
    return answer;
  }

  #ask(method, rest, body) {
    return api(method, this.#path(rest), { token: this.#session().token, body });
  }

  #path(rest) {
    return `/api/v3/teams/${encodeURIComponent(this.#session().team.uid)}/recordings${rest}`;
  }
}

function pathOf(id) {
  return `/${encodeURIComponent(id)}`;
}

/** When a day begins here, `more` days later, in the server's form of time; "" for what is none. */
function dayBegins(day, more = 0) {
  const [, year, month, date] = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day ?? "") ?? [];
  if (!date) return "";
  return new Date(year, month - 1, Number(date) + more).toISOString().replace("Z", "000Z");
}
