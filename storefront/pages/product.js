/** One product: its pictures, its variants, what they cost and whether they can be had. */
import { emblem, fill, h, show, titled } from "../components/dom.js";
import { kindOf, picture } from "../components/picture.js";
import { offers, priceTag, stars, stockLine, stockOf } from "../components/product-facts.js";
import { price } from "../components/words.js";
import { explain } from "../api/faults.js";
import { categories as readCategories, productBySlug } from "../api/catalog.js";

const place = document.getElementById("product");

async function load() {
  try {
    const [product, roots] = await Promise.all([productBySlug(location.pathname.split("/").pop()), readCategories().catch(() => [])]);
    render(product, kindOf(rootOf(roots, product.categoryId)?.slug ?? ""));
  } catch (fault) {
    tell(fault);
  }
}

function rootOf(roots, id) {
  const holds = (node) => node.id === id || node.children.some(holds);
  return roots.find(holds);
}

function render(product, kind) {
  titled(product.name);
  fill(place, gallery(product, kind), h("div", { class: "stack" },
    h("h1", {}, product.name), stars(product), priceTag(product), stockOf(product), variants(product), h("p", { class: "prose" }, product.description)));
}

function gallery(product, kind) {
  const stage = h("div", {}, picture(product, { kind, isFirst: true }));
  if (product.images.length < 2) return stage;
  const thumbs = product.images.map((image, n) => h("button", {
    type: "button", "aria-pressed": String(n === 0), "aria-label": `Picture ${n + 1}`,
    on: { click: (event) => {
      stage.replaceChild(picture(product, { image, kind, isFirst: true }), stage.firstChild);
      for (const thumb of thumbs) thumb.setAttribute("aria-pressed", String(thumb === event.currentTarget));
    } },
  }, picture(product, { image, kind })));
  return h("div", {}, stage, h("div", { class: "thumbs" }, thumbs));
}

function variants(product) {
  const found = offers(product);
  if (found.length < 2) return details(found[0]);
  return h("section", { "aria-labelledby": "variants" }, h("h2", { id: "variants" }, "To choose from"),
    h("ul", { class: "lines" }, found.map((variant) => h("li", { class: "line" },
      h("span", { class: "name" }, variant.name), h("span", { class: "amount" }, price(variant.price)), stockLine(variant.available)))));
}

function details(variant) {
  const found = Object.entries(variant?.attributes ?? {});
  if (found.length === 0) return null;
  return h("dl", { class: "details" }, found.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]).flat());
}

function tell(fault) {
  const isGone = fault.status === 404;
  const [title, text] = isGone ? ["This product is not in the shop", "It is not sold any more, or the link was mistyped."] : explain(fault);
  titled(title);
  place.className = "";
  show(place, h("div", { class: "empty" }, emblem(isGone ? "box" : "away", "warn"), h("h1", {}, title), h("p", { class: "lead" }, text),
    isGone ? h("a", { class: "button", href: "/" }, "See what there is") : h("button", { class: "button", type: "button", on: { click: load } }, "Try again")));
}

load();
