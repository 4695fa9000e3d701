/** Accounts and sessions. */
import { get, post } from "./client.js";
import * as session from "./session.js";

/** Log in; the answer is {mfaToken} where a second factor is wanted, else null. */
export async function logIn(email, password) {
  const answer = await post("/api/auth/login", { email, password }, { isOpen: true });
  if (answer.mfaRequired) return { mfaToken: answer.mfaToken };
  session.begin(answer);
  return null;
}

/** Finish a log-in with a code of the authenticator or a recovery code. */
export async function finishLogIn(mfaToken, text) {
  const plain = text.replace(/\s/g, "");
  const proof = /^\d{6}$/.test(plain) ? { code: plain } : { recoveryCode: text.trim() };
  session.begin(await post("/api/auth/mfa/challenge", { mfaToken, ...proof }, { isOpen: true }));
}

/** End the session here at once; the shop is told, and forgets it by itself if it cannot be. */
export async function logOut() {
  try {
    await post("/api/auth/logout");
  } finally {
    session.end();
  }
}

export function confirmAddress(token) {
  return post("/api/auth/email/verify", { token }, { isOpen: true });
}

export function sendAnotherLink() {
  return post("/api/auth/email/resend");
}

export function askForReset(email) {
  return post("/api/auth/password/forgot", { email }, { isOpen: true });
}

export function setPassword(token, newPassword) {
  return post("/api/auth/password/reset", { token, newPassword }, { isOpen: true });
}

/** Read the own account anew, and remember it. */
export async function me() {
  const user = await get(`/api/users/${session.current().user.id}`);
  session.note(user);
  return user;
}
