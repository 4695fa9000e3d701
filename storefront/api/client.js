/** The public API: JSON in and out, the session's token with every call, one renewal when it is old. */
import * as session from "./session.js";
import { Fault } from "./faults.js";

const TIMEOUT_MS = 20_000;
let renewal = null;

export function get(path, query = {}) {
  const wanted = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(wanted).toString();
  return call("GET", text ? `${path}?${text}` : path);
}

/** `key` makes a repeated call have one effect (Idempotency-Key); `isOpen` sends no token along. */
export function post(path, body, { key = "", isOpen = false } = {}) {
  return call("POST", path, { body, key, isOpen });
}

/** A key for one thing that the customer wants once, however often it is sent. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function call(method, path, wish = {}) {
  if (wish.isOpen || session.current() === null) return send(method, path, wish, null);
  if (session.isStale(session.current())) await renew();
  const used = session.current();
  try {
    return await send(method, path, wish, used);
  } catch (fault) {
    if (fault.status !== 401) throw fault;
    // Somebody else in this tab may have renewed it meanwhile.
    if (session.current()?.accessToken === used?.accessToken) await renew();
    return send(method, path, wish, session.current());
  }
}

/** Exchange the refresh token; each works once, so all calls of this tab share one exchange. */
function renew() {
  renewal ??= exchange().finally(() => { renewal = null; });
  return renewal;
}

async function exchange() {
  const refreshToken = session.current()?.refreshToken;
  if (!refreshToken) throw new Fault({ code: "no_session", status: 401 });
  try {
    session.begin(await send("POST", "/api/auth/refresh", { body: { refreshToken } }, null));
  } catch (fault) {
    if (fault.isPassing) throw fault;
    session.end();
    throw new Fault({ code: "no_session", status: 401 });
  }
}

async function send(method, path, { body, key }, used) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (used) headers.Authorization = `Bearer ${used.accessToken}`;
  const answer = await reach(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "omit",
    cache: "no-cache",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  return read(answer);
}

async function reach(path, wish) {
  try {
    return await fetch(path, wish);
  } catch (error) {
    throw new Fault({ code: error.name === "TimeoutError" ? "no_answer" : "no_network" });
  }
}

async function read(answer) {
  if (answer.status === 204) return null;
  let document;
  try {
    document = await answer.json();
  } catch {
    // Cut off on its way, or from something between us and the shop.
    throw new Fault({ code: "no_answer", status: answer.ok ? 0 : answer.status });
  }
  if (answer.ok) return document;
  throw new Fault({
    ...document,
    status: answer.status,
    retryAfterS: Number(answer.headers.get("Retry-After")) || 0,
  });
}
