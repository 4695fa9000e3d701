/** Making and replacing elements. Text is always text here: nothing is ever parsed as markup. */

/** Make an element: h("a", {href: "/", class: "button"}, "Home"). `on` holds its listeners. */
export function h(tag, traits = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(traits)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Replace what a place holds. */
export function fill(place, ...children) {
  place.replaceChildren(...children.flat().filter(Boolean));
}

/** Fill a place and lead keyboard and screen reader to its heading. */
export function show(place, ...children) {
  fill(place, ...children);
  const heading = place.querySelector("h1, h2");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
  }
}

export function titled(text) {
  document.title = `${text} · The Shop`;
}

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  check: "m5 12.5 4.5 4.5L19 7.5",
  cross: "M6.5 6.5l11 11M17.5 6.5l-11 11",
  clock: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM12 7.5V12l3 2",
  mail: "M3.5 6h17v12h-17zM4 6.5l8 6.5 8-6.5",
  key: "M10.5 9a4.5 4.5 0 1 0 9 0 4.5 4.5 0 1 0-9 0M11.6 12.2 4.5 19.3M7 16.8l2 2M9.5 14.3l1.6 1.6",
  lock: "M6 10.5h12v9.5H6zM8.5 10.5V8a3.5 3.5 0 0 1 7 0v2.5",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20.5a7.5 7.5 0 0 1 15 0",
  box: "M12 3.2 20 7.5v9l-8 4.3-8-4.3v-9zM4.2 7.6 12 12l7.8-4.4M12 12v8.5",
  away: "M4 4l16 16M8.5 14.5a5 5 0 0 1 5-1.4M5.5 11.3A9.5 9.5 0 0 1 9 9M12.5 8a9.5 9.5 0 0 1 6 3.3M2.5 8.2A14 14 0 0 1 6.5 5.5M11 4.6a14 14 0 0 1 10.5 3.6M12 18.5h.01",
  star: "m12 3.5 2.6 5.4 5.9.8-4.3 4.1 1.1 5.9L12 16.9l-5.3 2.8 1.1-5.9L3.5 9.7l5.9-.8z",
  screen: "M5 5h14v10H5zM2.5 19h19M9 15v4M15 15v4",
  pan: "M3 11h12a6 6 0 0 1-12 0zM15 12h6.5M6 7.5c0-1.5 1-1.5 1-3M10 7.5c0-1.5 1-1.5 1-3",
  shirt: "M9 4 3.5 7l1.8 4L8 10v10h8V10l2.7 1 1.8-4L15 4a3 3 0 0 1-6 0z",
  book: "M12 6.5C10 5 7 4.5 3.5 5v13c3.5-.5 6.5 0 8.5 1.5 2-1.5 5-2 8.5-1.5V5C17 4.5 14 5 12 6.5zM12 6.5v13",
  drop: "M12 3.5c3.5 4.3 6 7 6 10.5a6 6 0 0 1-12 0c0-3.5 2.5-6.2 6-10.5zM9 14.5a3 3 0 0 0 2.5 2.7",
  leaf: "M6.5 18.5C3.5 11 9 4.5 19.5 4.5c.5 9.5-5.5 15.5-13 14zM4.5 20.5c2-5 5-8 9.5-10.5",
  ball: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17zM3.7 10.5c5 1 8.5 4.5 9.3 10M20.3 13.5c-5-1-8.5-4.5-9.3-10",
  pen: "M4 20l1-4.5L16 4.5a2 2 0 0 1 3.5 3.5L8.5 19zM14 6.5l3.5 3.5",
  blocks: "M4 12.5h7.5V20H4zM12.5 12.5H20V20h-7.5zM8.2 4h7.5v7.5H8.2z",
};

export function icon(name) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("class", "icon");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name] ?? PATHS.box);
  picture.append(path);
  return picture;
}

export function emblem(name, mood = "") {
  return h("div", { class: `emblem ${mood && `is-${mood}`}` }, icon(name));
}
