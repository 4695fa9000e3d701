/** What an order's status means to its buyer, and what can be done now. */
import { METHODS, clock } from "./words.js";

const IN_ORDER = ["PENDING", "CONFIRMED", "SHIPPED", "DELIVERED"];
const REACHED = { PENDING: 0, CONFIRMED: 1, PROCESSING: 1, SHIPPED: 2, DELIVERED: 3 };

/** Return {pill, mood, headline, text, isWaiting}; `isWaiting` says that more is to come by itself. */
export function standing(order) {
  const payment = order.payment;
  const isCash = payment?.method === "COD";
  switch (order.status) {
    case "PENDING":
      if (!payment) return { pill: "To be paid", mood: "warn", headline: "Waiting for the payment", text: "It goes on when the buyer has paid." };
      if (mayPay(order)) {
        return payment.status === "FAILED"
          ? { pill: "Payment failed", mood: "bad", headline: "The payment did not go through", text: `${payment.failureText ?? "Please try again, with another way to pay if you like."} ${kept(order)}` }
          : { pill: "To be paid", mood: "warn", headline: "One step left: the payment", text: kept(order) };
      }
      return { pill: "In progress", mood: "warn", headline: "We are checking your payment", text: "This takes a moment. The page follows by itself.", isWaiting: true };
    case "CONFIRMED":
      return { pill: "Confirmed", mood: "good", headline: "We are getting your order ready", text: isCash ? "You pay in cash when it arrives." : "It is paid. We write to you when it is on its way." };
    case "PROCESSING":
      return { pill: "Being packed", mood: "good", headline: "Your order is being packed", text: "We write to you when it is on its way." };
    case "SHIPPED":
      return { pill: "On its way", mood: "good", headline: "Your order is on its way", text: "We write to you when it has arrived." };
    case "DELIVERED":
      return { pill: "Delivered", mood: "good", headline: "Your order has arrived", text: "We hope you like it." };
    case "CANCELLED":
      return { pill: "Cancelled", mood: "bad", headline: "This order was cancelled", text: refunded(payment) };
    case "REFUNDED":
      return { pill: "Refunded", mood: "", headline: "This order was refunded", text: "The money goes back the way it came, which may take your bank a few days." };
    default:
      return { pill: order.status, mood: "", headline: "Your order", text: "" };
  }
}

function kept(order) {
  return order.expiresAt ? `The goods are kept for you until ${clock(order.expiresAt)}.` : "The goods are kept for you for a while.";
}

function refunded(payment) {
  const isPaid = payment && payment.method !== "COD" && ["SUCCESS", "REFUNDED"].includes(payment.status);
  return isPaid ? `What you paid by ${METHODS[payment.method]} goes back the way it came, which may take your bank a few days.` : "Nothing has to be paid.";
}

/** What the API says would succeed now, for whoever reads the order. */
export function mayPay(order) {
  return order.actions?.includes("PAY") ?? false;
}

export function mayCancel(order) {
  return order.actions?.includes("CANCEL") ?? false;
}

/** The four steps with whether each is reached; none for an order that ended otherwise. */
export function steps(order) {
  if (!(order.status in REACHED)) return [];
  const names = { PENDING: "Placed", CONFIRMED: "Confirmed", SHIPPED: "On its way", DELIVERED: "Delivered" };
  return IN_ORDER.map((status, n) => ({ name: names[status], isDone: n <= REACHED[order.status] }));
}

const MOMENTS = {
  PENDING: "Order placed",
  CONFIRMED: "Order confirmed",
  PROCESSING: "Being packed",
  SHIPPED: "Handed to the carrier",
  DELIVERED: "Delivered",
  CANCELLED: "Cancelled",
  REFUNDED: "Refunded",
};
// Looked up by what people wrote: nothing that every object has may be found ("constructor").
const NOTES = {
  __proto__: null,
  PAYMENT_TIMEOUT: "The payment did not arrive in time.",
  payment_timeout: "The payment did not arrive in time.",
  CUSTOMER_REQUEST: "You asked for it.",
  "cash on delivery": "To be paid in cash on delivery.",
  paid: "",
  cancelled: "",
};

export function momentWords(entry) {
  const note = entry.note ?? "";
  // What the shop wrote for itself is no news or a code, what people wrote are words.
  const isCode = /^[A-Za-z]+(_[A-Za-z]+)+$/.test(note);
  return { what: MOMENTS[entry.to] ?? entry.to, note: NOTES[note] ?? (isCode ? "" : note) };
}
