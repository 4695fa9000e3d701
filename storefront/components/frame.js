/** The frame around every page: who is logged in. */
import { fill, h } from "./dom.js";
import * as session from "../api/session.js";
import { logOut } from "../api/accounts.js";

const place = document.getElementById("account");

function render(now) {
  if (now === null) {
    const here = location.pathname === "/" ? "" : `?next=${encodeURIComponent(location.pathname + location.search)}`;
    const isThere = ["/login", "/reset-password"].includes(location.pathname);
    fill(place, isThere ? null : h("a", { href: `/login${here}` }, "Log in"));
    return;
  }
  fill(
    place,
    h("span", { class: "who" }, h("span", { class: "unseen" }, "Logged in as "), now.user.fullName || now.user.email || "Guest"),
    h("button", { type: "button", class: "link-button", on: { click: leave } }, "Log out"),
  );
}

async function leave() {
  try {
    await logOut();
  } catch {
    // The session has ended here whatever the shop could be told.
  }
  location.assign("/");
}

session.onChange(render);
render(session.current());

// Going back may bring a page back as it was left, with what it showed to somebody since logged out.
const shownTo = session.current()?.user.id;
addEventListener("pageshow", (event) => {
  if (event.persisted && session.current()?.user.id !== shownTo) location.reload();
});
const words = new URLSearchParams(location.search).get("q");
if (words && location.pathname === "/search") document.getElementById("search").value = words;
