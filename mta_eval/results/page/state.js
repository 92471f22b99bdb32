// Where the reader is: the view, what is listed, which sample is open. It stands in the address, so that a link leads
// there and Back goes back.
const KEYS = ["view", "a", "b", "cell", "only", "q", "task", "model", "length", "depth", "result", "kind", "sort", "page", "sample"];
const FILTERS = ["q", "task", "model", "length", "depth", "result", "kind"];
const LISTING = [...FILTERS, "cell", "only", "sort"];
let state = {};
const decode = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
const readHash = (text) =>
  Object.fromEntries(
    text
      .replace(/^#/, "")
      .split("&")
      .filter((part) => part.includes("="))
      .map((part) => [part.slice(0, part.indexOf("=")), decode(part.slice(part.indexOf("=") + 1))])
      .filter(([name, value]) => KEYS.includes(name) && value),
  );
const encode = (text) => encodeURIComponent(text).replace(/%3A/g, ":").replace(/%2F/g, "/");
const hashOf = (wanted) =>
  "#" +
  KEYS.filter((name) => wanted[name])
    .map((name) => `${name}=${encode(wanted[name])}`)
    .join("&");
const clean = (wanted) => Object.fromEntries(KEYS.filter((name) => wanted[name]).map((name) => [name, wanted[name]]));
// Change what is shown. A new place gets an entry in the history; typing and stepping change the one that is there.
const go = (changes, { replace = false } = {}) => {
  const wanted = clean({ ...state, ...changes }),
    hash = hashOf(wanted);
  const address = hash === "#" ? location.pathname + location.search : hash;
  if (hash !== (location.hash || "#")) history[replace ? "replaceState" : "pushState"](null, "", address);
  apply(wanted);
};
const NO_FILTERS = Object.fromEntries([...LISTING, "page", "sample"].map((name) => [name, ""]));
// The samples behind a mark, and nothing else.
const list = (wanted) => {
  go({ ...NO_FILTERS, ...wanted });
  openPane();
};
