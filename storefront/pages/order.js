/** One order: how it stands, what became of it, what can be done now. */
import { emblem, fill, h, icon, show, titled } from "../components/dom.js";
import { faultNotice, notice } from "../components/notice.js";
import { askForLogIn } from "../components/log-in.js";
import { paymentForm } from "../components/payment.js";
import { mayCancel, mayPay, momentWords, standing, steps } from "../components/standing.js";
import { METHODS, moment, price } from "../components/words.js";
import { explain } from "../api/faults.js";
import * as session from "../api/session.js";
import { cancel, order as readOrder, payments as readPayments, timeline as readTimeline } from "../api/orders.js";

const FIRST_LOOK_MS = 700;
const LONGEST_LOOK_MS = 8_000;
const LOOKS = 30;

const id = location.pathname.split("/").pop();
const place = document.getElementById("order");
const news = document.getElementById("news");
let shown = "";
let looks = 0;

async function load({ lead = false } = {}) {
  if (session.current() === null) {
    askWho();
    return;
  }
  try {
    const [order, timeline] = await Promise.all([readOrder(id), readTimeline(id)]);
    render(order, timeline, await givenBack(order), lead);
  } catch (fault) {
    tell(fault);
  }
}

/** How much of what was paid has been given back, as an amount; nothing where none was. */
async function givenBack(order) {
  if (order.payment?.status !== "REFUNDED" || session.current()?.user.id !== order.userId) return null;
  const found = await readPayments(id);
  const amount = found.reduce((sum, payment) => sum + payment.refunded.amount, 0);
  return amount ? { ...order.total, amount } : null;
}

// Without a session, or with one that may not see it

function askWho(words = "An order is shown to whoever placed it. Log in with the account that you ordered with: our mail went to its address.") {
  shown = "";
  const card = h("section", { class: "card task" });
  fill(place, h("div", { class: "stack narrow" }, card));
  askForLogIn(card, { heading: "Log in to see your order", text: words, drawing: "box", done: () => load({ lead: true }) });
}

function tell(fault) {
  if (fault.status === 401) {
    session.end();
    askWho("You have been logged out in the meantime. Log in again to see your order.");
    return;
  }
  if (fault.status === 404) {
    tellThatItIsNotTheirs();
    return;
  }
  if (shown) {
    fill(document.getElementById("fault"), faultNotice(fault, () => load()));
    return;
  }
  const [title, text] = explain(fault);
  titled(title);
  show(place, card(
    emblem("away", "warn"),
    h("h1", {}, title),
    h("p", { class: "lead" }, text),
    h("div", { class: "buttons" }, h("button", { class: "button", type: "button", on: { click: () => load({ lead: true }) } }, "Try again"))));
}

function tellThatItIsNotTheirs() {
  shown = "";
  const who = session.current().user.email;
  titled("No such order here");
  show(place, card(
    emblem("box", "warn"),
    h("h1", {}, "This account has no such order"),
    h("p", { class: "lead" }, who ? `You are logged in as ${who}. If you ordered with another account, log in with that one.` : "If you ordered with an account, log in with it."),
    h("p", { class: "soft" }, "Or the link lost a part on its way to you: open it from our mail once more."),
    h("div", { class: "buttons" },
      h("button", { class: "button", type: "button", on: { click: () => { session.end(); askWho(); } } }, "Use another account"),
      h("a", { class: "button is-quiet", href: "/" }, "To the start page"))));
}

function card(first, ...others) {
  return h("section", { class: "card task narrow" }, first, h("div", { class: "stack" }, others));
}

// The order

function render(order, timeline, back, lead) {
  const now = standing(order);
  const state = JSON.stringify([order.version, order.status, order.payment, timeline.length]);
  if (state !== shown) {
    if (shown) news.textContent = `${now.headline}. ${now.text}`;
    shown = state;
    titled(`Order ${order.orderNumber}`);
    const parts = [head(order, now), h("div", { class: "order-grid" },
      h("div", {}, todo(order, now), goods(order, back)),
      h("div", {}, history(timeline), delivery(order)))];
    if (lead) show(place, ...parts);
    else fill(place, ...parts);
  }
  if (now.isWaiting) lookAgain();
}

function head(order, now) {
  return h("div", { class: "order-head" },
    h("div", {},
      h("h1", {}, `Order ${order.orderNumber}`),
      h("p", { class: "soft" }, "Placed on ", h("time", { datetime: order.createdAt }, moment(order.createdAt)))),
    h("span", { class: `pill ${now.mood && `is-${now.mood}`}` }, now.pill));
}

function todo(order, now) {
  const isToBePaid = mayPay(order);
  return h("section", { class: `card stack ${isToBePaid ? "todo" : ""}`, "aria-labelledby": "state" },
    h("div", { class: "stack-small" }, h("h2", { id: "state" }, now.headline), h("p", { class: "soft" }, now.text)),
    track(order),
    h("div", { id: "fault" }),
    isToBePaid && paymentForm(order, paid),
    mayCancel(order) && h("button", { class: "button is-danger", type: "button", on: { click: () => confirmCancel(order) } }, "Cancel this order"));
}

function track(order) {
  const found = steps(order);
  if (found.length === 0) return null;
  return h("ol", { class: "steps", "aria-label": "How far it has come" }, found.map((step) =>
    h("li", { class: `step ${step.isDone ? "is-done" : ""}` },
      h("span", { class: "dot" }, icon("check")), step.name, h("span", { class: "unseen" }, step.isDone ? " (done)" : " (to come)"))));
}

function goods(order, back) {
  const sums = [["Goods", order.subtotal], ["Delivery", order.shipping], [order.isTaxIncluded ? "Taxes, included" : "Taxes", order.tax?.amount ? order.tax : null]];
  if (order.discount?.amount) sums.splice(1, 0, [order.couponCode ? `Discount (${order.couponCode})` : "Discount", { ...order.discount, amount: -order.discount.amount }]);
  return h("section", { class: "card", "aria-labelledby": "goods" },
    h("h2", { id: "goods" }, "What you ordered"),
    h("ul", { class: "lines" }, order.items.map((item) =>
      h("li", { class: "line" },
        h("span", { class: "name" }, item.name), h("span", { class: "amount" }, price(item.lineTotal)),
        h("span", { class: "small soft" }, `${item.quantity} × ${price(item.unitPrice)}`)))),
    h("dl", { class: "sums" },
      sums.filter(([, amount]) => amount).map(([name, amount]) => [h("dt", {}, name), h("dd", {}, name === "Delivery" && amount.amount === 0 ? "Free" : price(amount))]).flat(),
      order.total && [h("dt", { class: "is-total" }, "Total"), h("dd", { class: "is-total" }, price(order.total))],
      back && [h("dt", {}, "Given back"), h("dd", {}, price(back))]));
}

function history(timeline) {
  return h("section", { class: "card", "aria-labelledby": "history" },
    h("h2", { id: "history" }, "What became of it"),
    h("ol", { class: "timeline" }, timeline.toReversed().map((entry) => {
      const words = momentWords(entry);
      return h("li", { class: "moment" },
        h("p", { class: "what" }, words.what),
        h("p", { class: "small soft" }, h("time", { datetime: entry.at }, moment(entry.at))),
        words.note && h("p", { class: "small soft" }, words.note));
    })));
}

function delivery(order) {
  const to = order.shippingAddress ?? {};
  const lines = [to.fullName, to.addressLine1, to.addressLine2, [to.city, to.pincode].filter(Boolean).join(" "), to.state, to.phone];
  return h("section", { class: "card", "aria-labelledby": "delivery" },
    h("h2", { id: "delivery" }, "Delivery and payment"),
    h("address", {}, lines.filter(Boolean).join("\n")),
    order.payment && h("p", { class: "soft small" }, METHODS[order.payment.method] ?? order.payment.method));
}

// What can be done

async function paid() {
  looks = 0;
  await load({ lead: true });
}

function confirmCancel(order) {
  const fault = h("div", {});
  const yes = h("button", { class: "button is-danger", type: "button" }, "Cancel the order");
  const box = h("dialog", { "aria-labelledby": "sure" },
    h("div", { class: "stack" },
      h("h2", { id: "sure" }, "Cancel this order?"),
      h("p", { class: "soft" }, `${order.orderNumber} ends for good, and the goods go back on the shelf. What was paid is given back.`),
      fault,
      h("div", { class: "buttons" }, h("button", { class: "button", type: "button", on: { click: () => box.close() } }, "Keep it"), yes)));
  let isUnderWay = false;
  yes.addEventListener("click", async () => {
    if (isUnderWay) return;
    isUnderWay = true;
    yes.setAttribute("aria-disabled", "true");
    try {
      await cancel(id);
      box.close();
      await load({ lead: true });
    } catch (found) {
      if (found.code === "illegal_transition") await load();
      fill(fault, faultNotice(found));
    } finally {
      isUnderWay = false;
      yes.removeAttribute("aria-disabled");
    }
  });
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

/** Look how it stands in a while; longer each time, and not while nobody sees it. */
function lookAgain() {
  if (looks >= LOOKS) {
    fill(document.getElementById("fault"), notice("", "This takes longer than usual", "We write to you as soon as it is decided; you need not wait here."));
    return;
  }
  const pause = Math.min(LONGEST_LOOK_MS, FIRST_LOOK_MS * 1.25 ** looks);
  looks += 1;
  setTimeout(() => (document.hidden ? document.addEventListener("visibilitychange", () => load(), { once: true }) : load()), pause);
}

load();
