/** What a product costs, and whether it can be had. */
import { h, icon } from "./dom.js";
import { price } from "./words.js";

const FEW = 5;

/** The variants that are sold, the ones in stock first, each group by price. */
export function offers(product) {
  return product.variants.filter((variant) => variant.isActive)
    .toSorted((one, other) => (other.available > 0) - (one.available > 0) || one.price.amount - other.price.amount);
}

export function priceTag(product) {
  const [first, ...others] = offers(product);
  if (!first) return h("div", { class: "facts" }, h("span", { class: "soft" }, "Not for sale now"));
  const isFrom = others.some((variant) => variant.price.amount > first.price.amount);
  const was = first.compareAtPrice && first.compareAtPrice.amount > first.price.amount ? first.compareAtPrice : null;
  return h("div", { class: "facts" },
    h("span", { class: "price" }, isFrom && h("span", { class: "price-from" }, "from "), price(first.price)),
    was && h("s", { class: "price-was" }, h("span", { class: "unseen" }, "instead of "), price(was)));
}

export function stockLine(available) {
  if (available <= 0) return h("p", { class: "stock is-out" }, "Sold out");
  if (available <= FEW) return h("p", { class: "stock is-low" }, `Only ${available} left`);
  return h("p", { class: "stock" }, "In stock");
}

export function stockOf(product) {
  return stockLine(Math.max(0, ...offers(product).map((variant) => variant.available)));
}

export function stars(product) {
  if (!product.reviewCount) return null;
  return h("span", { class: "stars" }, icon("star"),
    h("span", {}, h("span", { class: "unseen" }, "Rated "), product.avgRating.toFixed(1), h("span", { class: "unseen" }, " of 5 by "), ` (${product.reviewCount})`));
}
