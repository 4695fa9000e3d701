/** Asking for a link to choose a new password. */
import { emblem, h, show, titled } from "../components/dom.js";
import { field, form } from "../components/form.js";
import { askForReset } from "../api/accounts.js";

const task = document.getElementById("task");

function ask() {
  const send = form(
    {
      button: "Send me a link",
      work: async ({ email }) => {
        await askForReset(email.trim());
        tell(email.trim());
      },
      after: [h("p", { class: "small" }, h("a", { href: "/login" }, "Back to logging in"))],
    },
    field({ name: "email", label: "E-mail address", type: "email", autocomplete: "username", maxlength: 254, inputmode: "email" }),
  );
  show(
    task,
    emblem("key"),
    h("div", { class: "stack" },
      h("h1", {}, "Forgot your password?"),
      h("p", { class: "soft" }, "Tell us the address of your account, and we mail you a link to choose a new one."),
      send),
  );
}

function tell(email) {
  titled("Look into your mail");
  show(
    task,
    emblem("mail", "good"),
    h("div", { class: "stack" },
      h("h1", {}, "Look into your mail"),
      h("p", { class: "lead" }, `If there is an account with ${email}, a link is on its way there. It works for one hour.`),
      h("p", { class: "soft small" }, "Nothing after some minutes? Look into the spam folder, and check the address."),
      h("div", { class: "buttons" }, h("button", { class: "button is-quiet", type: "button", on: { click: ask } }, "Use another address"))),
  );
}

ask();
