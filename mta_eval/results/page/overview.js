// The overview: small heatmaps in the matrix, figures over several tasks.
const leaveOverview = () => {
  for (const place of [...$$(".mini"), $("#families")]) place.replaceChildren();
};
const showOverview = () => {
  for (const place of $$(".mini")) {
    if (!place.dataset.at || place.firstChild) continue;
    const [number, grid] = place.dataset.at.split(":").map(Number),
      section = data.sections[number];
    if (section.mini && section.heat.grids[grid]) place.append(miniature(section, grid));
  }
  const families = $("#families");
  if (!families.firstChild) families.append(...data.families.map(linesFigure));
};
