/** Confirming an address with the link of a mail. */
import { emblem, h, show, titled } from "../components/dom.js";
import { form } from "../components/form.js";
import { faultNotice, notice } from "../components/notice.js";
import { takeMailedToken } from "../components/mailed-token.js";
import * as session from "../api/session.js";
import { confirmAddress, me, sendAnotherLink } from "../api/accounts.js";

const task = document.getElementById("task");
const token = takeMailedToken();

function ask() {
  const confirm = form({ button: "Confirm my address", work: () => decide() });
  show(
    task,
    emblem("mail"),
    h("div", { class: "stack" },
      h("h1", {}, "Is this your address?"),
      h("p", { class: "lead" }, "One press, and we know that news of your orders reaches you and nobody else."),
      confirm,
      h("p", { class: "small soft" }, "You have no account with us? Then somebody mistyped an address: close this page, and nothing happens.")),
  );
}

async function decide() {
  try {
    await confirmAddress(token);
  } catch (fault) {
    if (fault.code !== "one_time_token_invalid") throw fault;
    await tellWhyNot();
    return;
  }
  confirmed("Thank you. From now on, news of your orders goes to this address.");
  if (session.current()) me().catch(() => {});
}

function confirmed(text) {
  titled("Address confirmed");
  show(
    task,
    emblem("check", "good"),
    h("div", { class: "stack" },
      h("h1", {}, "Your address is confirmed"),
      h("p", { class: "lead" }, text),
      h("div", { class: "buttons" }, h("a", { class: "button", href: "/" }, "Start shopping"))),
  );
}

async function tellWhyNot() {
  if (await isConfirmed()) {
    confirmed("It was confirmed before, so there is nothing left to do.");
    return;
  }
  titled("This link does not work any more");
  show(
    task,
    emblem("clock", "warn"),
    h("div", { class: "stack" },
      h("h1", {}, "This link does not work any more"),
      h("p", { class: "lead" }, "Each link works once and for one day. If you have used it before, your address is confirmed and all is well."),
      h("p", { class: "soft" }, "Otherwise it is too old, was replaced by a newer one, or lost a part on its way to you."),
      another()),
  );
}

function tellThatItIsMissing() {
  show(
    task,
    emblem("mail"),
    h("div", { class: "stack" },
      h("h1", {}, "Confirm your e-mail address"),
      h("p", { class: "lead" }, "Open this page by the button in our mail “Please confirm your e-mail address”. The link there is still good if you have not used it."),
      another()),
  );
}

/** A way to a new link: for those logged in a button, for others the way to log in. */
function another() {
  const now = session.current();
  if (now === null) {
    return h("p", {}, h("a", { class: "button is-quiet", href: "/login?next=/verify-email" }, "Log in to get a new link"));
  }
  const place = h("div", { class: "stack" });
  place.append(form({
    button: "Send me a new link",
    work: async () => {
      try {
        await sendAnotherLink();
        place.replaceChildren(notice("good", "A new link is on its way", `Look into the mail of ${now.user.email}. It may take a minute.`));
      } catch (fault) {
        if (fault.code === "email_already_verified") confirmed("There is nothing left to do.");
        else if (fault.code === "no_session") place.replaceChildren(faultNotice(fault), another());
        else throw fault;
      }
    },
  }));
  return place;
}

async function isConfirmed() {
  if (session.current() === null) return false;
  try {
    return (await me()).emailVerified;
  } catch {
    return false;
  }
}

async function begin() {
  if (token) ask();
  else if (await isConfirmed()) confirmed("There is nothing left to do.");
  else tellThatItIsMissing();
}

begin();
