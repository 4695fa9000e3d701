/** Forms: labelled fields, one send at a time, faults where they belong. */
import { fill, h } from "./dom.js";
import { faultNotice } from "./notice.js";

/** A labelled field; `hint` and faults are tied to it for screen readers. */
export function field({ name, label, hint = "", ...traits }) {
  const id = `field-${name}`;
  const describedBy = hint ? `${id}-hint ${id}-fault` : `${id}-fault`;
  return h(
    "div",
    { class: "field" },
    h("label", { for: id }, label),
    h("input", { id, name, required: true, "aria-describedby": describedBy, ...traits }),
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    h("p", { class: "fault", id: `${id}-fault`, role: "alert" }),
  );
}

/**
 * A form that hands its values to `work` and shows the faults that it throws. Pressed twice it sends
 * once. `check` may find faults before anything is sent: it returns {name: words}.
 */
export function form({ button, work, check = () => ({}), before = [], after = [] }, ...fields) {
  const news = h("div", {});
  const send = h("button", { class: "button is-wide", type: "submit" }, button);
  const element = h("form", { class: "stack", novalidate: true }, before, fields, news, send, after);
  let isUnderWay = false;

  async function submit() {
    const values = Object.fromEntries(new FormData(element));
    const faults = { ...missing(element), ...check(values) };
    mark(element, faults);
    if (Object.keys(faults).length > 0) return;
    setBusy(true);
    try {
      await work(values);
    } catch (fault) {
      const found = Object.fromEntries((fault.errors ?? []).map((error) => [error.pointer.slice(1), error.detail]));
      const isPlaced = mark(element, found);
      fill(news, isPlaced ? null : faultNotice(fault, submit));
    } finally {
      setBusy(false);
    }
  }

  function setBusy(is) {
    isUnderWay = is;
    send.setAttribute("aria-disabled", String(is));
    send.textContent = is ? "One moment…" : button;
    if (is) fill(news);
  }

  element.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!isUnderWay) submit();
  });
  return element;
}

function missing(element) {
  const faults = {};
  for (const input of element.querySelectorAll("input")) {
    if (input.validity.valueMissing) faults[input.name] = "Please fill this in.";
    else if (input.validity.typeMismatch) faults[input.name] = "This does not look like an e-mail address.";
    else if (input.value && input.value.length < input.minLength) faults[input.name] = `At least ${input.minLength} characters, please.`;
  }
  return faults;
}

/** Show each fault at its field and lead to the first; returns whether any field was named. */
function mark(element, faults) {
  let first = null;
  for (const input of element.querySelectorAll("input")) {
    const words = faults[input.name] ?? "";
    input.toggleAttribute("aria-invalid", false);
    if (words) input.setAttribute("aria-invalid", "true");
    const place = element.querySelector(`#${input.id}-fault`);
    if (place) place.textContent = words;
    if (words) first ??= input;
  }
  first?.focus();
  return first !== null;
}
