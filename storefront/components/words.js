/** Amounts, dates and names of things as people read them. */

const LOCALE = "en-IN";

/** ₹1,23,456.00: an amount comes in the currency's smallest unit. */
export function price({ amount, currency }) {
  const format = new Intl.NumberFormat(LOCALE, { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits;
  return format.format(amount / 10 ** digits);
}

export function moment(text) {
  return new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", year: "numeric", hour: "numeric", minute: "2-digit" }).format(new Date(text));
}

/** The time of day: 7:31 pm. */
export function clock(text) {
  return new Intl.DateTimeFormat(LOCALE, { hour: "numeric", minute: "2-digit" }).format(new Date(text));
}

export const METHODS = {
  UPI: "UPI",
  CARD: "Card",
  NET_BANKING: "Net banking",
  WALLET: "Wallet",
  COD: "Cash on delivery",
};
