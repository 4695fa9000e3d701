/** A product's picture; where there is none, a drawing of its kind on a colour of its own. */
import { h, icon } from "./dom.js";

const KINDS = {
  __proto__: null, // looked up by slugs, such as "constructor"
  electronics: "screen", "home-kitchen": "pan", fashion: "shirt", books: "book", beauty: "drop",
  grocery: "leaf", sports: "ball", stationery: "pen", toys: "blocks",
};
const TINTS = 6;

export function kindOf(slug) {
  return KINDS[slug] ?? Object.entries(KINDS).find(([name]) => slug.startsWith(name.split("-")[0]))?.[1] ?? "box";
}

/** `kind` names the drawing, `isFirst` says that the picture is seen at once. */
export function picture(product, { image = product.images[0], kind = "box", isFirst = false } = {}) {
  const tint = Number.parseInt(product.categoryId.slice(-4), 16) % TINTS;
  const frame = h("div", { class: `picture tint-${tint}` });
  const drawing = () => frame.replaceChildren(icon(kind));
  if (!image) {
    drawing();
    return frame;
  }
  frame.append(h("img", {
    src: image.url, alt: image.altText, width: image.width ?? 800, height: image.height ?? 800,
    loading: isFirst ? "eager" : "lazy", decoding: "async", referrerpolicy: "no-referrer", on: { error: drawing },
  }));
  return frame;
}
