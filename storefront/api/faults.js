/** What can go wrong with a call, and how it is said to a person. */

/** Any failed call; `code` is the API's own, or `no_network`, `no_answer`, `no_session`. */
export class Fault extends Error {
  constructor({ code, status = 0, title = "", detail = "", errors = [], retryAfterS = 0 }) {
    super(code);
    this.code = code;
    this.status = status;
    this.title = title;
    this.detail = detail;
    this.errors = errors;
    this.retryAfterS = retryAfterS;
  }

  /** Whether nothing has to change for another try to succeed. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** What is wrong with one member of the body, such as "/newPassword". */
  at(pointer) {
    return this.errors.find((error) => error.pointer === pointer);
  }
}

const WORDS = {
  no_network: ["You seem to be offline", "The shop could not be reached. Check your connection, then try again."],
  no_answer: ["The shop took too long", "No answer came in time. Please try again in a moment."],
  no_session: ["You are logged out", "Please log in again to go on."],
  invalid_credentials: ["That did not match", "The e-mail address or the password is not right. Check both and try again."],
  invalid_mfa_code: ["That code did not match", "Codes change every 30 seconds: take the one your app shows now."],
  account_suspended: ["This account is suspended", "Please write to us, and we will look into it."],
  blocked_by_firewall: ["That could not be sent", "Something in it looks like an attack to our firewall. Please word it otherwise."],
  illegal_transition: ["That is not possible any more", "The order has moved on in the meantime. Below is how it stands now."],
  order_not_payable: ["There is nothing to pay any more", "The order has moved on in the meantime. Below is how it stands now."],
};

/** Return [title, text]: what happened and what can be done. */
export function explain(fault) {
  if (!(fault instanceof Fault)) {
    return ["Something went wrong on this page", "Load it again; if that does not help, come back in a while."];
  }
  if (WORDS[fault.code]) return WORDS[fault.code];
  if (fault.status === 429) return ["That was a lot at once", `Please wait ${wait(fault.retryAfterS)}, then try again.`];
  if (fault.status >= 500) return ["The shop is busy right now", `Nothing is lost. Please try again in ${wait(fault.retryAfterS)}.`];
  if (fault.status === 404) return ["We cannot find that", "It does not exist, or no longer."];
  return [fault.title || "That did not work", fault.errors[0]?.detail ?? fault.detail];
}

function wait(seconds) {
  if (!seconds) return "a moment";
  if (seconds < 90) return seconds === 1 ? "a second" : `${seconds} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}
