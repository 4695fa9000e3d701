/** Words about what happened, said aloud by screen readers as they appear. */
import { h } from "./dom.js";
import { explain } from "../api/faults.js";

/** `mood` is good, warn, bad or nothing; `again` is what a button to try again does. */
export function notice(mood, title, text = "", again = null) {
  return h(
    "div",
    { class: `notice ${mood && `is-${mood}`}`, role: mood === "bad" ? "alert" : "status" },
    h("p", { class: "notice-title" }, title),
    text && h("p", {}, text),
    again && h("button", { type: "button", class: "link-button", on: { click: again } }, "Try again"),
  );
}

export function faultNotice(fault, again = null) {
  const [title, text] = explain(fault);
  return notice("bad", title, text, fault.isPassing ? again : null);
}
