/** What the shop has: all of it on the start page, by words and category on the page for searching. */
import { emblem, fill, h, icon } from "../components/dom.js";
import { faultNotice } from "../components/notice.js";
import { kindOf, picture } from "../components/picture.js";
import { priceTag, stars, stockOf } from "../components/product-facts.js";
import { categories as readCategories, products as readProducts } from "../api/catalog.js";

const PAGE = 24;
const SEEN_AT_ONCE = 8;
const wish = new URLSearchParams(location.search);
const words = (wish.get("q") ?? "").trim();
const shelf = document.getElementById("products");
const more = document.getElementById("more");
const count = document.getElementById("count");
const outcome = document.getElementById("outcome");
const nav = document.getElementById("categories");

/** Every category's id, with its own and its root's name and slug. */
const known = new Map();

function note(nodes, root = null) {
  for (const node of nodes) {
    known.set(node.id, { ...node, root: root ?? node });
    note(node.children, root ?? node);
  }
}

function bySlug(slug) {
  return [...known.values()].find((category) => category.slug === slug);
}

function renderCategories(roots) {
  const chosen = bySlug(wish.get("category"))?.root;
  const link = (slug, name, drawing, isHere) =>
    h("a", { class: "chip", href: slug ? `/search?category=${slug}` : "/", "aria-current": isHere && "true" }, icon(drawing), name);
  fill(nav, link("", "Everything", "star", location.pathname === "/"), roots.map((root) => link(root.slug, root.name, kindOf(root.slug), chosen?.id === root.id)));
}

function productCard(product, n) {
  const root = known.get(product.categoryId)?.root;
  return h("li", { class: "product" },
    picture(product, { kind: kindOf(root?.slug ?? ""), isFirst: n < SEEN_AT_ONCE }),
    h("h3", {}, h("a", { href: `/products/${product.slug}` }, product.name)),
    priceTag(product),
    h("div", { class: "facts" }, stockOf(product), stars(product)));
}

function renderBones() {
  fill(shelf, Array.from({ length: SEEN_AT_ONCE }, () =>
    h("li", { class: "product", "aria-hidden": "true" }, h("div", { class: "picture bone" }), h("div", { class: "bone line-1" }), h("div", { class: "bone line-2" }), h("div", { class: "facts" }), h("div", { class: "facts" }))));
}

function tellHowMany(page, shown) {
  const total = page.total ?? null;
  if (total !== null) count.textContent = `${page.totalRelation === "gte" ? "More than " : ""}${total} ${total === 1 ? "product" : "products"} found, ${shown} shown`;
  else count.textContent = `${shown} ${shown === 1 ? "product" : "products"} shown${page.nextCursor ? ", there is more" : ""}`;
}

function tellThatThereIsNothing() {
  fill(outcome, h("div", { class: "empty" }, emblem("box"),
    h("h3", {}, words ? `Nothing found for “${words}”` : "Nothing on this shelf"),
    h("p", { class: "soft" }, words ? "Try fewer or other words, or look through the categories." : "Look at another category, or at everything there is."),
    h("a", { class: "button is-quiet", href: "/" }, "Show everything")));
}

async function load(cursor = null) {
  fill(outcome);
  more.setAttribute("aria-disabled", "true");
  try {
    const page = await readProducts({ ...filters(), cursor });
    const first = cursor ? shelf.children.length : 0;
    const cards = page.items.map((product, n) => productCard(product, first + n));
    if (cursor) shelf.append(...cards);
    else fill(shelf, cards);
    more.hidden = !page.nextCursor;
    more.onclick = () => load(page.nextCursor);
    tellHowMany(page, shelf.children.length);
    if (cursor) cards[0]?.querySelector("a").focus();
    if (shelf.children.length === 0) tellThatThereIsNothing();
  } catch (fault) {
    if (!cursor) fill(shelf);
    count.textContent = "";
    fill(outcome, faultNotice(fault, () => load(cursor)));
  } finally {
    more.removeAttribute("aria-disabled");
  }
}

function filters() {
  return { q: words, categoryId: bySlug(wish.get("category"))?.id, inStock: wish.get("inStock"), sort: wish.get("sort"), limit: PAGE };
}

/** Each choice is an address of its own, so that going back and sharing work. */
function followTools() {
  const tools = document.getElementById("tools");
  // Without words nothing matches better than another: the newest come first.
  if (!words) tools.elements.sort.options[0].remove();
  tools.elements.sort.value = wish.get("sort") ?? tools.elements.sort.options[0].value;
  tools.elements.inStock.checked = wish.get("inStock") === "true";
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("change", () => {
    const next = new URLSearchParams();
    for (const name of ["q", "category"]) if (wish.get(name)) next.set(name, wish.get(name));
    if (tools.elements.inStock.checked) next.set("inStock", "true");
    if (tools.elements.sort.selectedIndex > 0) next.set("sort", tools.elements.sort.value);
    location.assign(`${location.pathname}?${next}`);
  });
}

function title() {
  const category = bySlug(wish.get("category"));
  const text = words ? `Results for “${words}”` : category?.name;
  if (!text) return;
  document.getElementById("shelf-title").textContent = text;
  document.title = `${text} · The Shop`;
}

async function begin() {
  renderBones();
  followTools();
  try {
    const roots = await readCategories();
    note(roots);
    renderCategories(roots);
  } catch {
    // The shelves are worth showing without them, and their own fault is told there.
  }
  title();
  await load();
}

fill(nav, Array.from({ length: 6 }, () => h("span", { class: "chip bone", "aria-hidden": "true" })));
begin();
