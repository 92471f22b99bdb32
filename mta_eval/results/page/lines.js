// Charts of lines with intervals, side by side, one legend for all.
const CHART = { wide: 340, high: 190, left: 44, right: 12, top: 10, under: 40 };
const finds = ([task, model, length, depth]) =>
  Object.fromEntries(
    [
      ["task", data.tasks[task]],
      ["model", data.models[model]],
      ["length", data.length[length]],
      ["depth", data.depth[depth]],
    ].filter(([, text]) => text !== undefined),
  );
const ticksOf = (low, high) => [0, 0.25, 0.5, 0.75, 1].map((share) => low + share * (high - low));
const lineName = (line) => (typeof line === "number" ? data.names[line] : line);
const chart = (figure, one, numbers) => {
  const { wide, high, left, right, top, under } = CHART,
    shares = !figure.measure,
    all = one.lines.flatMap(([, drawn]) => drawn.flatMap(([, mean, low, high]) => [mean, low ?? mean, high ?? mean]));
  const [least, most] = shares ? [0, 1] : [Math.min(...all), Math.max(...all)];
  const steps = Math.max(1, figure.texts.length - 1);
  const stride = (wide - left - right - 16) / steps,
    aside = Math.min(8, (0.6 * stride) / one.lines.length); // points of one value beside each other, so that each is reached
  const atX = (place, row = (one.lines.length - 1) / 2) =>
      left + 8 + place * stride + (row - (one.lines.length - 1) / 2) * aside,
    atY = (value) => top + (1 - (value - least) / (most - least || 1)) * (high - top - under);
  const svg = draw("svg", {
    viewBox: `0 0 ${wide} ${high}`,
    width: wide,
    height: high,
    role: "group",
    "aria-label": `${figure.title}${one.title ? ", " + one.title : ""}. Arrow keys go from point to point, Enter shows its samples.`,
  });
  const label = (text, known) => svg.append(draw("text", { "aria-hidden": "true", class: "tick", text, ...known }));
  for (const value of ticksOf(least, most)) {
    svg.append(draw("path", { class: "rule", d: `M${left} ${atY(value)}H${wide - right}` }));
    label(shares ? percent(value) : value.toPrecision(3), { x: left - 5, y: atY(value) + 4, "text-anchor": "end" });
  }
  const every = Math.ceil((figure.texts.length * Math.max(3, longest(figure.texts)) * LETTER) / (wide - left));
  figure.texts.forEach((text, place) => {
    if (place % every === 0) label(text, { x: atX(place), y: high - under + 15, "text-anchor": "middle" });
  });
  label(figure.axis, { x: (left + wide) / 2, y: high - 6, "text-anchor": "middle", class: "axis" });
  one.lines.forEach(([line, drawn], row) => {
    const style = lineStyle(numbers.get(line)),
      path = drawn.map(([place, mean], n) => `${n && drawn[n - 1][0] === place - 1 ? "L" : "M"}${atX(place, row)} ${atY(mean)}`);
    const ends = drawn
      .filter(([, , low]) => low !== null)
      .map(([place, , low, high]) => `M${atX(place, row)} ${atY(low)}V${atY(high)}`);
    svg.append(
      draw("path", { class: "ends", d: ends.join(""), stroke: style.colour }),
      draw("path", { class: "line", d: path.join(""), stroke: style.colour, "stroke-dasharray": style.dash || null }),
    );
    for (const [place, mean, low, high, n, found] of drawn) {
      const value = shares ? `${percent(mean)} ${interval(low, high)}` : `${mean.toPrecision(4)}${low === null ? "" : ` [${low.toPrecision(3)}–${high.toPrecision(3)}]`}`;
      const about = [lineName(line), one.title, `${figure.axis.replace(/ \(.*/, "")} ${figure.texts[place]}`];
      const text = `${about.filter(Boolean).join(", ")}: ${value}${n ? `, ${counted(n, "sample")}` : ""}`;
      const wanted = found ? finds(found) : figure.section ? { task: figure.section, ...(typeof line === "number" ? { model: data.models[line] } : {}) } : null;
      const node = draw("path", { d: style.mark, fill: style.colour, transform: `translate(${atX(place, row)} ${atY(mean)})` });
      svg.append(mark(node, text, row, place, wanted && (() => list(wanted))));
    }
  });
  return finish(svg);
};
const legend = (numbers) =>
  make(
    "ul",
    { class: "legend" },
    ...[...numbers].map(([line, number]) => {
      const style = lineStyle(number);
      return make(
        "li",
        {},
        draw(
          "svg",
          { width: 26, height: 12, "aria-hidden": "true" },
          draw("path", { d: "M1 6h24", stroke: style.colour, "stroke-width": 2, "stroke-dasharray": style.dash || null }),
          draw("path", { d: style.mark, fill: style.colour, transform: "translate(13 6)" }),
        ),
        lineName(line),
      );
    }),
  );
const panel = (title, svg, name) =>
  make(
    "div",
    { class: "panel" },
    make("div", { class: "top" }, make("p", { class: "panel-name", text: title }), saveButton(svg, name)),
    scrolling(title || name, svg),
  );
const linesFigure = (figure) => {
  const lines = new Set(figure.charts.flatMap((one) => one.lines.map(([line]) => line)));
  const numbers = new Map([...lines].map((line, place) => [line, typeof line === "number" ? line : place]));
  return make(
    "section",
    { class: "figure", "aria-label": figure.title },
    make("h3", { text: figure.title }),
    make("p", { class: "soft", text: figure.note + (figure.measure ? "" : " Bars: 95 % intervals.") }),
    make("div", { class: "panels" }, ...figure.charts.map((one) => panel(one.title, chart(figure, one, numbers), `${figure.title} ${one.title}`))),
    legend(numbers),
  );
};
