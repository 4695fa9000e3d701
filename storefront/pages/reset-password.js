/** Choosing a new password with the link of a mail. */
import { emblem, h, show, titled } from "../components/dom.js";
import { field, form } from "../components/form.js";
import { takeMailedToken } from "../components/mailed-token.js";
import * as session from "../api/session.js";
import { setPassword } from "../api/accounts.js";

const task = document.getElementById("task");
const token = takeMailedToken();
let isOutcomeUnknown = false;

function ask() {
  const password = field({
    name: "newPassword", label: "New password", type: "password", autocomplete: "new-password",
    minlength: 8, maxlength: 1024, hint: "At least 8 characters. Four or five unrelated words are easy to remember and hard to guess.",
  });
  const input = password.querySelector("input");
  const reveal = h("label", { class: "check" },
    h("input", { type: "checkbox", on: { change: (event) => { input.type = event.target.checked ? "text" : "password"; } } }), "Show it");
  const choose = form({ button: "Set the new password", work: ({ newPassword }) => decide(newPassword) }, password, reveal);
  show(
    task,
    emblem("key"),
    h("div", { class: "stack" },
      h("h1", {}, "Choose a new password"),
      h("p", { class: "soft" }, "It takes the place of the old one, and ends all sessions that are open anywhere."),
      choose),
  );
}

async function decide(newPassword) {
  try {
    await setPassword(token, newPassword);
  } catch (fault) {
    if (fault.code === "one_time_token_invalid") return tellWhyNot();
    isOutcomeUnknown ||= fault.status === 0;
    throw fault;
  }
  session.end();
  titled("New password set");
  show(
    task,
    emblem("check", "good"),
    h("div", { class: "stack" },
      h("h1", {}, "Your new password is set"),
      h("p", { class: "lead" }, "You are logged out everywhere. Log in with it now."),
      h("div", { class: "buttons" }, h("a", { class: "button", href: "/login" }, "Log in"))),
  );
  return undefined;
}

function tellWhyNot() {
  titled("This link does not work any more");
  show(
    task,
    emblem("clock", "warn"),
    h("div", { class: "stack" },
      h("h1", {}, "This link does not work any more"),
      isOutcomeUnknown && h("p", { class: "lead" }, "Your first try may have got through without its answer. Try to log in with the new password."),
      h("p", { class: isOutcomeUnknown ? "soft" : "lead" }, "Each link works once, for one hour, and only until a newer one is asked for. It may also have lost a part on its way to you."),
      h("div", { class: "buttons" },
        h("a", { class: "button", href: "/forgot-password" }, "Get a new link"),
        h("a", { class: "button is-quiet", href: "/login" }, "Log in"))),
  );
}

function tellThatItIsMissing() {
  show(
    task,
    emblem("key"),
    h("div", { class: "stack" },
      h("h1", {}, "Choose a new password"),
      h("p", { class: "lead" }, "Open this page by the button in our mail “Reset your password”. The link there is still good if you have not used it."),
      h("div", { class: "buttons" }, h("a", { class: "button", href: "/forgot-password" }, "Get a new link"))),
  );
}

if (token) ask();
else tellThatItIsMissing();
