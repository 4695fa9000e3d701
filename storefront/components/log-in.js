/** Logging in, with the second factor where the account has one. */
import { emblem, fill, h, show } from "./dom.js";
import { field, form } from "./form.js";
import { finishLogIn, logIn } from "../api/accounts.js";

/** Fill a place with the form; `done` is called when somebody is logged in. */
export function askForLogIn(place, { heading, text, drawing = "lock", done }) {
  const ask = form(
    {
      button: "Log in",
      work: async ({ email, password }) => {
        const pending = await logIn(email.trim(), password);
        if (pending) askForCode(place, pending.mfaToken, done);
        else await done();
      },
      after: [h("p", { class: "small" }, h("a", { href: "/forgot-password" }, "Forgot your password?"))],
    },
    field({ name: "email", label: "E-mail address", type: "email", autocomplete: "username", maxlength: 254, inputmode: "email" }),
    field({ name: "password", label: "Password", type: "password", autocomplete: "current-password", maxlength: 1024 }),
  );
  fill(place, emblem(drawing), h("div", { class: "stack" }, h("h1", {}, heading), h("p", { class: "soft" }, text), ask));
}

function askForCode(place, mfaToken, done) {
  const ask = form(
    {
      button: "Go on",
      work: async ({ code }) => {
        await finishLogIn(mfaToken, code);
        await done();
      },
    },
    field({
      name: "code", label: "Code", class: "code", autocomplete: "one-time-code", maxlength: 40,
      hint: "Six digits from your authenticator app, or one of your recovery codes.",
    }),
  );
  show(place, emblem("key"), h("div", { class: "stack" }, h("h1", {}, "One more step"), h("p", { class: "soft" }, "This account is protected by two-step login."), ask));
}
