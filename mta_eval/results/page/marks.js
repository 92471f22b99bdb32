// Marks of figures: each says what it is on hover and on focus, arrow keys go from one to the next, and a click or
// Enter shows its samples. One mark of a figure is a stop of the Tab key.
const acts = new WeakMap();
const tip = $("#tip"),
  said = $("#said");
const showTip = (text, box) => {
  tip.textContent = text;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(box.left + box.width / 2 - width / 2, innerWidth - width - 4))}px`;
  tip.style.top = `${box.top > height + 10 ? box.top - height - 6 : box.bottom + 6}px`;
};
const hideTip = () => {
  tip.hidden = true;
};
const mark = (node, label, row, column, act) => {
  node.setAttribute("data-mark", `${row}:${column}`);
  node.setAttribute("tabindex", "-1");
  node.setAttribute("role", act ? "button" : "img");
  node.setAttribute("aria-label", label);
  if (act) acts.set(node, act);
  return node;
};
const marksOf = (figure) => $$("[data-mark]", figure);
// the figure is done: its first mark can be reached
const finish = (figure) => {
  figure.setAttribute("data-figure", "");
  $("[data-mark]", figure)?.setAttribute("tabindex", "0");
  return figure;
};
const focusMark = (node) => {
  for (const other of marksOf(node.closest("[data-figure]"))) other.setAttribute("tabindex", "-1");
  node.setAttribute("tabindex", "0");
  node.focus();
};
const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
const placeOf = (node) => node.dataset.mark.split(":").map(Number);
// the next mark in a direction: in the same row or column if there is one
const nextMark = (node, [down, across]) => {
  const [row, column] = placeOf(node);
  let best = null,
    least = Infinity;
  for (const other of marksOf(node.closest("[data-figure]"))) {
    const [r, c] = placeOf(other);
    const ahead = down ? (r - row) * down : (c - column) * across,
      aside = Math.abs(down ? c - column : r - row);
    const far = ahead + 1000 * aside;
    if (ahead > 0 && far < least) [best, least] = [other, far];
  }
  return best;
};
const figureOf = (event) => event.target.closest?.("[data-mark]");
document.addEventListener("mouseover", (event) => {
  const node = figureOf(event);
  if (node) showTip(node.getAttribute("aria-label"), node.getBoundingClientRect());
  else if (!event.target.closest?.("[data-cursor]")) hideTip();
});
document.addEventListener("focusin", (event) => {
  const node = figureOf(event);
  if (node && node.matches(":focus-visible"))
    showTip(node.getAttribute("aria-label"), node.getBoundingClientRect());
});
document.addEventListener("focusout", hideTip);
document.addEventListener("scroll", hideTip, true);
document.addEventListener("click", (event) => {
  const node = figureOf(event);
  if (node) acts.get(node)?.();
});
document.addEventListener("keydown", (event) => {
  const node = figureOf(event);
  if (event.key === "Escape" && !tip.hidden) hideTip();
  if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    acts.get(node)?.();
  } else if (event.key in STEPS) {
    event.preventDefault();
    const next = nextMark(node, STEPS[event.key]);
    if (next) focusMark(next);
  }
});
