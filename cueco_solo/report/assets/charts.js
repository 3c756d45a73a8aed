// Charts over all runs: their figures, training curves, the path of alignment and uniformity.
function legendOnce() {
  const seen = new Set();
  return (run) => {
    const first = !seen.has(run.series);
    seen.add(run.series);
    return { name: plain(run.series, 34), legendgroup: String(run.colour), showlegend: first };
  };
}

// --- Single runs, one dot each, with the mean of a row.
function stripRows(column) {
  return report.rows
    .map((row) => ({ ...row, runs: row.runs.filter(([, values]) => values[column] !== null) }))
    .filter((row) => row.runs.length)
    .reverse();
}

function stripFigure(host, select) {
  const column = Number(select.value);
  const rows = stripRows(column);
  host.style.height = `${Math.max(8, 4.6 + 2.1 * rows.length)}rem`;
  const dots = rows.map((row, y) => ({
    x: row.runs.map(([, values]) => values[column]), y: row.runs.map(() => y), mode: "markers", type: "scatter",
    text: row.runs.map(([label]) => plain(label)), hovertemplate: "%{text}: %{x:.2f}<extra></extra>",
    marker: { size: 11, color: seriesColour(row.colour), opacity: 0.8, line: { width: 1, color: colour("--card") } },
  }));
  const means = rows.flatMap(({ runs }, y) => {
    if (runs.length < 2) return [];
    const mean = runs.reduce((sum, [, values]) => sum + values[column], 0) / runs.length;
    return [{
      x: [mean], y: [y], mode: "markers", type: "scatter", hovertemplate: `mean of ${runs.length}: %{x:.2f}<extra></extra>`,
      marker: { symbol: "line-ns", size: 22, line: { width: 2, color: colour("--text") } },
    }];
  });
  const names = rows.map((row) => plain(row.name, host.clientWidth < 500 ? 20 : 40));
  return {
    traces: [...dots, ...means],
    plotLayout: {
      showlegend: false, hovermode: "closest", xaxis: axis(plain(report.columns[column])),
      yaxis: axis("", { tickvals: names.map((_, y) => y), ticktext: names, range: [-0.6, names.length - 0.4], fixedrange: true }),
    },
  };
}

function setUpStrip() {
  const host = byId("strip");
  if (!host) return;
  const select = byId("metric");
  options(select, [["", report.columns.map((title, i) => [i, title])]]);
  chart(host, () => stripFigure(host, select));
  select.addEventListener("change", () => redraw(host));
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

function curvesFigure(name) {
  const legend = legendOnce();
  const traces = report.runs.filter((run) => run.curves[name]).map((run) => ({
    ...legend(run), x: run.curves[name].step, y: run.curves[name].value, type: "scatter",
    mode: run.curves[name].step.length < 3 ? "lines+markers" : "lines",
    line: { color: seriesColour(run.colour), dash: seriesDash(run.colour), width: 1.8 },
    text: run.curves[name].step.map(() => plain(run.label)),
    hovertemplate: "%{text}<br>step %{x}: %{y:.5~g}<extra></extra>",
  }));
  return { traces, plotLayout: { hovermode: "closest", showlegend: true, xaxis: axis("step"), yaxis: axis(plain(name)) } };
}

function setUpCurves() {
  const groups = quantityGroups();
  const names = groups.flatMap(([, of]) => of);
  const wanted = [["val_acc1", "online_acc", "train_acc1_epoch", "online_lidar", "online_rankme"], groups[0][1].filter((n) => !/class_loss|val_loss/.test(n))];
  [1, 2].forEach((place, i) => {
    const host = byId(`curves-${place}`);
    if (!host) return;
    const select = byId(`quantity-${place}`);
    options(select, groups.map(([group, of]) => [group, of.map((name) => [name, name])]));
    select.value = wanted[i].find((name) => names.includes(name)) || names[Math.min(i, names.length - 1)];
    chart(host, () => curvesFigure(select.value));
    select.addEventListener("change", () => redraw(host));
  });
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
    const runs = report.runs.filter((run) => pathOf(run, select.value).length);
    return {
      traces: runs.map((run) => pathTrace(run, select.value, legend)),
      plotLayout: { hovermode: "closest", showlegend: true, xaxis: axis("uniformity"), yaxis: axis("alignment") },
    };
  };
  chart(host, figure);
  select.addEventListener("change", () => redraw(host));
}

setUpStrip();
setUpCurves();
setUpPath();
