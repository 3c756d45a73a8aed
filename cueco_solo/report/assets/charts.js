// Charts over all runs: their figures, training curves, the path of alignment and uniformity.
function legendOnce() {
  const seen = new Set();
  return (run) => {
    const first = !seen.has(run.series);
    seen.add(run.series);
    return { name: plain(run.series, 34), legendgroup: String(run.colour), showlegend: first };
  };
}

// --- Single runs, one dot each, with the mean of a row; the untrained backbone is a grey line, too.
function stripRows(column) {
  return shownRows()
    .map((i) => report.rows[i])
    .map((row) => ({ ...row, runs: row.runs.filter(([, values]) => values[column] !== null) }))
    .filter((row) => row.runs.length)
    .reverse();
}

const meanOf = (row, column) => row.runs.reduce((sum, [, values]) => sum + values[column], 0) / row.runs.length;
const rowColour = (row) => (row.untrained ? colour("--edge") : seriesColour(row.colour));

function stripFigure(host, select) {
  const column = Number(select.value);
  const rows = stripRows(column);
  host.style.height = `${Math.max(8, 4.6 + 2.1 * rows.length)}rem`;
  const dots = rows.map((row, y) => ({
    x: row.runs.map(([, values]) => values[column]), y: row.runs.map(() => y), mode: "markers", type: "scatter",
    text: row.runs.map(([label]) => plain(label)), hovertemplate: "%{text}: %{x:.2f}<extra></extra>",
    marker: { size: 11, color: rowColour(row), opacity: 0.8, line: { width: 1, color: colour("--card") } },
  }));
  const means = rows.flatMap((row, y) => (row.runs.length < 2 ? [] : [{
    x: [meanOf(row, column)], y: [y], mode: "markers", type: "scatter", hovertemplate: `mean of ${row.runs.length}: %{x:.2f}<extra></extra>`,
    marker: { symbol: "line-ns", size: 22, line: { width: 2, color: colour("--text") } },
  }]));
  const untrained = rows.filter((row) => row.untrained).map((row) => meanOf(row, column));
  const names = rows.map((row) => plain(row.name, host.clientWidth < 500 ? 20 : 40));
  return {
    traces: [...dots, ...means],
    plotLayout: {
      showlegend: false, hovermode: "closest", xaxis: axis(plain(report.columns[column])),
      yaxis: axis("", { tickvals: names.map((_, y) => y), ticktext: names, range: [-0.6, names.length - 0.4], fixedrange: true }),
      shapes: untrained.map((x) => ({
        type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, layer: "below",
        line: { color: colour("--edge"), width: 1.5, dash: "dot" },
      })),
    },
  };
}

function setUpStrip() {
  const host = byId("strip");
  if (!host) return;
  const select = byId("metric");
  const heads = [...summary.querySelectorAll("th[data-column][data-protocol]")];
  // What the table shows can be chosen; the column that it is sorted by is chosen.
  const fill = () => {
    const before = select.value;
    const there = report.columns.map((title, i) => [String(i), title]).filter(([i]) => !heads[i].hidden);
    select.replaceChildren();
    options(select, [["", there]]);
    const wish = state.column > 0 ? String(state.column - 1) : before;
    select.value = there.some(([i]) => i === wish) ? wish : there[0]?.[0] ?? "";
  };
  fill();
  chart(host, () => stripFigure(host, select));
  select.addEventListener("change", () => redraw(host));
  document.addEventListener("state", () => { fill(); redraw(host); });
}

// --- Training curves.
function quantityGroup(name) {
  if (/loss/.test(name)) return "Loss parts";
  if (/cluster|hierarchy|rankme|positive|retrieved/.test(name)) return "Cluster health";
  if (/(^|_)(acc\d*|nmi|ami|ari|top\d+)(_|$)|knn/.test(name)) return "Online accuracy";
  return "Other";
}

function quantityGroups() {
  const counts = new Map();
  for (const run of report.runs) {
    for (const name of Object.keys(run.curves)) counts.set(name, (counts.get(name) || 0) + 1);
  }
  // What most runs have stands first: it is what can be compared.
  const names = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || a.localeCompare(b));
  const groups = ["Loss parts", "Online accuracy", "Cluster health", "Other"];
  return groups.map((group) => [group, names.filter((name) => quantityGroup(name) === group)]);
}

// Methods take steps of their own; epochs are the same for all of them.
function timeOf(runs) {
  const known = runs.every((run) => run.steps_per_epoch);
  return {
    title: known ? "epoch" : "step",
    at: (run, step) => (known ? (step + 1) / run.steps_per_epoch : step),
  };
}

const QUANTITIES = {
  val_acc1: "Online linear accuracy, %", train_acc1: "Online linear accuracy on training images, %",
  online_acc: "Online clustering accuracy, %", online_lidar: "LiDAR, dimensions", online_rankme: "RankMe, dimensions",
};

// A line through one point can't be seen.
const lineMode = (curve) => (curve.step.length < 3 ? "lines+markers" : "lines");

function curvesFigure(name) {
  const legend = legendOnce();
  const runs = shownRuns().filter((run) => run.curves[name]);
  const time = timeOf(runs);
  const traces = runs.map((run) => ({
    ...legend(run), x: run.curves[name].step.map((step) => time.at(run, step)), y: run.curves[name].value, type: "scatter",
    mode: lineMode(run.curves[name]),
    line: { color: seriesColour(run.colour), dash: seriesDash(run.colour), width: 1.8 },
    text: run.curves[name].step.map(() => plain(run.label)),
    hovertemplate: `%{text}<br>${time.title} %{x:.4~g}: %{y:.5~g}<extra></extra>`,
  }));
  return {
    traces,
    plotLayout: { hovermode: "closest", showlegend: true, xaxis: axis(time.title), yaxis: axis(plain(QUANTITIES[name] || name)) },
  };
}

const isLoss = (name) => /^train_.*loss/.test(name) && !/class_loss/.test(name);
const lossesOf = (run) => Object.keys(run.curves).filter(isLoss).sort();

// The parts of one method's loss, of its first run; those of others have other units.
function lossesFigure(series) {
  const run = report.runs.find((each) => each.series === series && lossesOf(each).length);
  const time = timeOf([run]);
  const traces = lossesOf(run).map((name, i) => ({
    name: name.replace(/^train_/, "").replaceAll("_", " "), type: "scatter", mode: lineMode(run.curves[name]),
    x: run.curves[name].step.map((step) => time.at(run, step)), y: run.curves[name].value,
    line: { color: seriesColour(run.colour), dash: DASHES[i % DASHES.length], width: 1.8 },
    hovertemplate: `%{fullData.name}<br>${time.title} %{x:.4~g}: %{y:.5~g}<extra></extra>`,
  }));
  return {
    traces,
    plotLayout: { hovermode: "closest", showlegend: true, xaxis: axis(time.title), yaxis: axis(`loss, ${plain(run.label)}`) },
  };
}

function setUpCurves() {
  const groups = quantityGroups();
  const names = groups.flatMap(([, of]) => of);
  const accuracy = byId("accuracy");
  if (!accuracy) return;
  const name = Object.keys(QUANTITIES).find((each) => names.includes(each));
  accuracy.closest("figure").hidden = !name;
  if (name) {
    byId("accuracy-title").textContent = QUANTITIES[name].replace(/, [^,]*$/, "");
    chart(accuracy, () => curvesFigure(name));
  }
  const losses = byId("losses");
  const of = byId("losses-of");
  // What the table shows can be chosen, in its order.
  const fill = () => {
    const before = of.value;
    const there = [...new Set(shownRuns().filter((run) => lossesOf(run).length).map((run) => run.series))];
    losses.closest("figure").hidden = !there.length;
    if (!there.length) return false;
    of.replaceChildren();
    options(of, [["", there.map((each) => [each, each])]]);
    if (there.includes(before)) of.value = before;
    return true;
  };
  fill();
  if (report.runs.some((run) => lossesOf(run).length)) {
    chart(losses, () => lossesFigure(of.value));
    of.addEventListener("change", () => redraw(losses));
    document.addEventListener("state", () => { if (fill()) redraw(losses); });
  }
  const any = byId("curves-1");
  const select = byId("quantity-1");
  options(select, groups.map(([group, of]) => [group, of.map((each) => [each, each])]));
  select.value = name || names[0];
  chart(any, () => curvesFigure(select.value));
  select.addEventListener("change", () => redraw(any));
  document.addEventListener("state", () => { if (name) redraw(accuracy); redraw(any); });
}

// --- Alignment against uniformity.
function pathKinds() {
  const kinds = new Set();
  for (const run of report.runs) {
    for (const name of Object.keys(run.curves)) {
      if (name.includes("alignment") && run.curves[name.replace("alignment", "uniformity")]) kinds.add(name);
    }
  }
  return [...kinds].sort();
}

function pathOf(run, kind) {
  const one = run.curves[kind];
  const other = run.curves[kind.replace("alignment", "uniformity")];
  if (!one || !other) return [];
  const uniformity = new Map(other.step.map((step, i) => [step, other.value[i]]));
  return one.step.map((step, i) => [step, one.value[i], uniformity.get(step)]).filter((point) => point[2] !== undefined);
}

function pathTrace(run, kind, legend) {
  const points = pathOf(run, kind);
  const last = points.length - 1;
  const ends = points.map((_, i) => (i === 0 ? "circle-open" : i === last ? "diamond" : "circle"));
  return {
    ...legend(run), x: points.map((p) => p[2]), y: points.map((p) => p[1]), type: "scatter", mode: "lines+markers",
    line: { color: seriesColour(run.colour), dash: seriesDash(run.colour), width: 1.5 },
    marker: {
      color: seriesColour(run.colour), symbol: ends, line: { width: ends.map((_, i) => (i === 0 ? 2 : 0)) },
      size: ends.map((_, i) => (i === 0 ? 10 : i === last ? 12 : 3)), opacity: 1,
    },
    text: points.map((p) => `${plain(run.label)}<br>step ${p[0]}`),
    hovertemplate: "%{text}<br>alignment %{y:.3f}<br>uniformity %{x:.3f}<extra></extra>",
  };
}

function setUpPath() {
  const host = byId("path");
  if (!host) return;
  const select = byId("path-kind");
  options(select, [["", pathKinds().map((kind) => [kind, kind.replace("_alignment", "")])]]);
  select.parentElement.hidden = select.options.length < 2;
  const figure = () => {
    const legend = legendOnce();
    const runs = shownRuns().filter((run) => pathOf(run, select.value).length);
    return {
      traces: runs.map((run) => pathTrace(run, select.value, legend)),
      plotLayout: { hovermode: "closest", showlegend: true, xaxis: axis("uniformity"), yaxis: axis("alignment") },
    };
  };
  chart(host, figure);
  select.addEventListener("change", () => redraw(host));
  document.addEventListener("state", () => redraw(host));
}

setUpStrip();
setUpCurves();
setUpPath();
