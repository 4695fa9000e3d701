/** Logging in; `?next=` is a path of ours to go on to. */
import { askForLogIn } from "../components/log-in.js";

/**
 * Where to go on: a page of this shop, whatever the address says. Returned with its origin: a path
 * alone may begin with two slashes once its dots are resolved ("/.//elsewhere"), and names a host.
 */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  try {
    const url = new URL(wanted, location.origin);
    return url.origin === location.origin && wanted.startsWith("/") ? url.origin + url.pathname + url.search : "/";
  } catch {
    return "/";
  }
}

askForLogIn(document.getElementById("task"), {
  heading: "Log in",
  text: "Welcome back.",
  done: () => location.replace(next()),
});
