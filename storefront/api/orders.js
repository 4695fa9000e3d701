/** Orders and their payments. */
import { get, post } from "./client.js";

export function order(id) {
  return get(`/api/orders/${id}`);
}

export async function timeline(id) {
  return (await get(`/api/orders/${id}/timeline`)).items;
}

export async function payments(id) {
  return (await get(`/api/orders/${id}/payments`)).items;
}

export function pay(id, paymentMethod, paymentToken, key) {
  return post(`/api/orders/${id}/payments`, { paymentMethod, paymentToken }, { key });
}

export function cancel(id) {
  return post(`/api/orders/${id}/cancel`, { reason: "Cancelled by the customer on the order's page" });
}
