/**
 * Who is logged in, in this tab.
 *
 * Kept in sessionStorage: it outlives a step from page to page, which memory does not; it ends with
 * the tab, which localStorage does not; and no request carries it by itself, as a cookie would, so
 * that no other site can make one in the customer's name. What could read it is a script in our own
 * pages, and the pages' policy lets none in but our own files. Where storage is switched off, the
 * session lives in memory and ends with the page.
 */
const KEY = "shop.session";
/** A token about to expire is renewed before it is used. */
const MARGIN_MS = 10_000;

const listeners = new Set();
let inMemory = null;

export function current() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? inMemory;
  } catch {
    return inMemory;
  }
}

/** Take over what a log-in or a renewal answered. */
export function begin({ accessToken, refreshToken, expiresIn, user }) {
  keep({ accessToken, refreshToken, expiresAt: Date.now() + expiresIn * 1000, user });
}

export function end() {
  keep(null);
}

export function isStale(session) {
  return session.expiresAt - MARGIN_MS < Date.now();
}

/** Note what is known of the account now, such as a confirmed address. */
export function note(user) {
  const session = current();
  if (session !== null && session.user.id === user.id) keep({ ...session, user });
}

export function onChange(listener) {
  listeners.add(listener);
}

function keep(session) {
  inMemory = session;
  try {
    if (session === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, JSON.stringify(session));
  } catch {
    // Storage is switched off: memory has to do.
  }
  for (const listener of listeners) listener(session);
}
