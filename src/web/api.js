// The HTTP side: unwraps the envelope {_time, ok, result | error, details, reason}.

/** The server's refusal: its code (`INVALID_TOKEN`, ...) and the HTTP status. */
export class ApiError extends Error {
  constructor(status, code, reason) {
    super(reason || code);
    this.status = status;
    this.code = code;
  }
}

/** `result` of the answer. Throws ApiError, or TypeError where no server answers. */
export async function api(method, path, { token, body } = {}) {
  const headers = {};
  if (token) headers.token = token;
  if (body) headers["content-type"] = "application/json";
  const init = { method, headers, cache: "no-store", signal: AbortSignal.timeout(10000) };
  if (body) init.body = JSON.stringify(body);
  const answer = await fetch(path, init);
  const envelope = await answer.json().catch(() => ({}));
  if (answer.ok && envelope.ok !== false) return envelope.result;
  const field = Object.values(envelope.details ?? {})[0];
  throw new ApiError(answer.status, envelope.error ?? "UNKNOWN", envelope.reason ?? field);
}
