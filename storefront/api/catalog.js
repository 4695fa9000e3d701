/** Products and categories. */
import { get } from "./client.js";

/** A page of products: found by words where there are some, else listed. */
export function products({ q, ...wish }) {
  return q ? get("/api/products/search", { q, ...wish }) : get("/api/products", wish);
}

export async function categories() {
  return (await get("/api/categories")).items;
}

export function productBySlug(slug) {
  return get(`/api/products/slug/${slug}`);
}
