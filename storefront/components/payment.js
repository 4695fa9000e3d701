/** Paying an order. The provider of this release is the sandbox: real calls, no money. */
import { h } from "./dom.js";
import { form } from "./form.js";
import { notice } from "./notice.js";
import { METHODS } from "./words.js";
import { pay } from "../api/orders.js";
import { newKey } from "../api/client.js";

const OUTCOMES = [
  ["tok_success", "The payment succeeds"],
  ["tok_pending", "It succeeds, but takes a moment"],
  ["tok_declined", "The bank declines it"],
];

/** The form that pays; `done` is called with the payment that was made. */
export function paymentForm(order, done) {
  if (order.payment.provider !== "sandbox") {
    return notice("warn", "This order cannot be paid on this page", "Please pay where you have ordered.");
  }
  const keys = new Map();
  return form(
    {
      button: "Pay now",
      before: [notice("", "This shop runs on a payment sandbox", "No money moves. Choose what the bank shall answer.")],
      work: async ({ method, token }) => {
        const wish = `${method} ${token}`;
        // One key for one wish: sent again after a lost answer, it pays once.
        if (!keys.has(wish)) keys.set(wish, newKey());
        await done(await pay(order.id, method, token, keys.get(wish)));
      },
    },
    methodField(order.payment.method),
    h("fieldset", {},
      h("legend", {}, "The bank’s answer"),
      h("div", { class: "choices" }, OUTCOMES.map(([token, words], n) =>
        h("label", { class: "choice" }, h("input", { type: "radio", id: `outcome-${n}`, name: "token", value: token, checked: n === 0 }), words)))),
  );
}

function methodField(usual) {
  const options = Object.entries(METHODS).filter(([code]) => code !== "COD");
  return h("div", { class: "field" },
    h("label", { for: "method" }, "Way to pay"),
    h("select", { id: "method", name: "method" }, options.map(([code, words]) => h("option", { value: code, selected: code === usual }, words))));
}
