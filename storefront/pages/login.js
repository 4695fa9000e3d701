/** Logging in; `?next=` is a path of ours to go on to. */
import { askForLogIn } from "../components/log-in.js";

/** Where to go on: a path of this shop, whatever the address says. */
function next() {
  const wanted = new URLSearchParams(location.search).get("next") ?? "/";
  try {
    const url = new URL(wanted, location.origin);
    return url.origin === location.origin && wanted.startsWith("/") ? url.pathname + url.search : "/";
  } catch {
    return "/";
  }
}

askForLogIn(document.getElementById("task"), {
  heading: "Log in",
  text: "Welcome back.",
  done: () => location.replace(next()),
});
