/**
 * The token of a mailed link. It stands behind `#`, which browsers send to no server, and is taken
 * out of the address bar at once, so that it stays in no history and on no screenshot. Reading it
 * uses nothing up: only the customer's own press of the button posts it, so that a scanner which
 * opens the mail's links, even one that runs scripts, leaves them good.
 */
export function takeMailedToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
  if (location.hash) history.replaceState(null, "", location.pathname);
  return token;
}
