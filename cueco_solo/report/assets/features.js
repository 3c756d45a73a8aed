// What the features of chosen runs look like: embedding, clusters, matrix, companions; a panel per run.
function panel(run, ...content) {
  return element("div", { className: "panel" }, element("h4", {}, swatch(run), run.label), ...content);
}

const absent = () => element("p", { className: "note", textContent: "Not there for this run; see the end of the page." });

// --- The picture beside a point.
function hideTip() {
  byId("tip").hidden = true;
}

function showTip(content, x, y) {
  const tip = byId("tip");
  tip.replaceChildren(...content);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 4))}px`;
  tip.style.top = `${Math.max(4, y + 14 + height > innerHeight ? y - height - 14 : y + 14)}px`;
}

// What is known of an image of an embedding: picture, class, cluster, file.
function facts(run, i) {
  const { label, image, file, cluster } = run.embedding;
  const words = [className(run, label[i]), cluster.length ? `cluster ${cluster[i]}` : "", file[i]];
  return [picture(imagesOf(run), image[i], 96), ...words.filter(Boolean).map((text) => element("div", { textContent: text }))];
}

// --- Embeddings, coloured by class.
let highlighted = null;

function embeddingTraces(run) {
  const { x, y, label } = run.embedding;
  const chosen = highlighted;
  return [...new Set(label)].sort((a, b) => a - b).map((c) => {
    const members = label.flatMap((value, i) => (value === c ? [i] : []));
    const name = className(run, c);
    const faded = chosen !== null && chosen !== name;
    return {
      x: members.map((i) => x[i]), y: members.map((i) => y[i]), customdata: members,
      name: plain(name, 20), type: "scatter", mode: "markers", hoverinfo: "none", showlegend: false,
      marker: {
        size: members.length > 100 ? 5 : 6, symbol: SYMBOLS[Math.floor(c / 10) % SYMBOLS.length],
        color: faded ? colour("--line") : classColour(c), opacity: faded ? 0.5 : 0.85,
      },
    };
  });
}

// A point and the five images whose features are most similar to its own.
function showNeighbours(run, i, host) {
  const { near, image, label } = run.embedding;
  const one = (place, text) => element("figure", {}, picture(imagesOf(run), image[place], 48), element("figcaption", { textContent: text }));
  host.replaceChildren(one(i, className(run, label[i])), element("span", { textContent: "nearest:" }), ...near[i].map((place) => one(place, className(run, label[place]))));
  announce(`${className(run, label[i])}; nearest: ${near[i].map((place) => className(run, label[place])).join(", ")}`);
}

function embeddingPanel(run) {
  if (!run.embedding) return panel(run, absent());
  const name = `${run.embedding.algorithm} of ${run.embedding.x.length} test images`;
  const host = element("div", { className: "chart embedding", role: "group", tabIndex: 0, ariaLabel: `${name}, ${run.label}: arrow keys go through the points, Enter shows the nearest` });
  const neighbours = element("div", { className: "near" });
  const hidden = { showticklabels: false, showline: false, showgrid: false, zeroline: false };
  chart(host, () => ({
    traces: embeddingTraces(run),
    plotLayout: {
      hovermode: "closest", hoverdistance: 20, margin: { l: 4, r: 4, t: 4, b: 4 }, showlegend: false,
      xaxis: axis("", hidden), yaxis: axis("", { ...hidden, scaleanchor: "x" }),
    },
  }), () => {
    host.on("plotly_hover", ({ points, event }) => showTip(facts(run, points[0].customdata), event.clientX, event.clientY));
    host.on("plotly_click", ({ points, event }) => {  // what a finger does, too
      showTip(facts(run, points[0].customdata), event.clientX, event.clientY);
      showNeighbours(run, points[0].customdata, neighbours);
    });
    host.on("plotly_unhover", hideTip);
  });
  let at = -1;
  host.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const many = run.embedding.x.length;
    if (step) {
      event.preventDefault();
      at = (at + step + many + (at < 0 && step < 0 ? 1 : 0)) % many;
      const { xaxis, yaxis } = host._fullLayout;
      const box = host.getBoundingClientRect();
      showTip(facts(run, at), box.left + xaxis._offset + xaxis.l2p(run.embedding.x[at]), box.top + yaxis._offset + yaxis.l2p(run.embedding.y[at]));
      announce(byId("tip").innerText);
    } else if (event.key === "Enter" && at >= 0) showNeighbours(run, at, neighbours);
  });
  return panel(run, host, neighbours, element("p", { className: "note", textContent: `${name}. A click or Enter shows the five nearest in feature space.` }));
}

addEventListener("pointerdown", (event) => { if (!event.target.closest(".embedding")) hideTip(); });
addEventListener("scroll", hideTip, { passive: true });
addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });

// --- Clusters by the clustering chosen; this many are shown at once.
const FIRST = 6;

const clustersOf = (run) => run.clusters.find((clusters) => clusters.name === byId("clustering").value);

// What is missing stands at the end of the page; most methods have no labels of their own.
const withoutClusters = (run) => (run.clusters.length ? null : panel(run, absent()));

function setUpClusterings(runs, onchange) {
  const select = byId("clustering");
  if (!select) return;
  const names = new Set(runs.flatMap((run) => run.clusters.map((clusters) => clusters.name)));
  options(select, [["", [...names].map((name) => [name, name])]]);
  select.addEventListener("change", onchange);
}

function clusterFigure(run, cluster) {
  const tiles = cluster.images.map((index) => picture(imagesOf(run), index, 64));
  const text = `Cluster ${cluster.cluster}: ${cluster.size} images, entropy ${cluster.entropy.toFixed(2)}`;
  const grid = element("div", { className: "pictures nine", role: "img", ariaLabel: `${tiles.length} pictures of cluster ${cluster.cluster}` }, ...tiles);
  return element("figure", {}, grid, element("figcaption", { textContent: text }));
}

function clustersPanel(run) {
  const clusters = clustersOf(run);
  if (!clusters) return withoutClusters(run);
  const figures = clusters.lowest_entropy.map((cluster) => clusterFigure(run, cluster));
  const list = (some) => element("div", { className: "cluster-list" }, ...some);
  if (figures.length <= FIRST) return panel(run, list(figures));
  const summary = element("summary", { textContent: `${figures.length - FIRST} more` });
  return panel(run, list(figures.slice(0, FIRST)), element("details", {}, summary, list(figures.slice(FIRST))));
}

function matrixFigure(run, host) {
  const { matrix, order } = clustersOf(run);
  const classes = imagesOf(run).classes;
  const shares = matrix.map((row) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count) => (total ? (100 * count) / total : 0));
  });
  const small = classes.length <= 12 && order.length <= 12 && host.clientWidth / classes.length > 24;
  const ticks = (names) => ({ tickvals: names.map((_, i) => i), ticktext: names.map((name) => plain(name, 12)), tickangle: names.some((name) => String(name).length > 3) ? -90 : 0, showgrid: false, zeroline: false });
  const many = { showgrid: false, zeroline: false };
  return {
    traces: [{
      type: "heatmap", z: shares, zmin: 0, zmax: 100, xgap: 1, ygap: 1, text: matrix,
      customdata: matrix.map((row, i) => row.map((count, j) => `cluster ${order[i]}<br>class ${plain(classes[j] ?? j)}<br>${count} images`)),
      hovertemplate: "%{customdata}, %{z:.0f} % of the cluster<extra></extra>",
      texttemplate: small ? "%{text}" : "", textfont: { size: 11, color: colour("--text") },
      colorscale: [[0, colour("--stripe")], [1, colour("--heat")]], showscale: !small,
      colorbar: { ticksuffix: " %", thickness: 10, outlinewidth: 0 },
    }],
    plotLayout: {
      xaxis: axis("class", classes.length <= 20 ? ticks(classes) : many),
      yaxis: axis("cluster", { ...(order.length <= 40 ? ticks(order) : many), tickangle: 0, autorange: "reversed" }),
    },
  };
}

function matrixPanel(run) {
  const clusters = clustersOf(run);
  if (!clusters) return withoutClusters(run);
  if (!clusters.matrix.length) return panel(run, absent());
  const host = element("div", { className: "chart matrix", role: "group", ariaLabel: `Clusters against classes, ${run.label}` });
  if (clusters.matrix.length > 20) host.style.height = `${Math.min(60, clusters.matrix.length) + 5}rem`;
  chart(host, () => matrixFigure(run, host));
  return panel(run, host);
}

// --- Companions (RCL).
function companionsOf(run, companions) {
  const levels = companions.levels.flatMap((level) => {
    const text = `Level ${level.level}: cluster of ${level.size}`;
    const tiles = level.images.map((index) => picture(imagesOf(run), index, 48));
    const row = element("div", { className: "pictures", role: "img", ariaLabel: `${tiles.length} companions, level ${level.level}` }, ...tiles);
    return [element("p", { textContent: text }), tiles.length ? row : element("p", { textContent: "It is alone." })];
  });
  return element("div", { className: "companion" }, picture(imagesOf(run), companions.image, 64), element("div", {}, ...levels));
}

function companionsPanel(run) {
  if (!run.companions.length) return null;
  const all = run.companions.map((companions) => companionsOf(run, companions));
  return panel(run, element("div", { className: "companions" }, ...all));
}

// --- All of it for the runs chosen.
function fill(id, runs, build) {
  const host = byId(id);
  if (!host) return;
  host.querySelectorAll(".chart").forEach(forget);
  const panels = runs.map(build).filter(Boolean);
  const nothing = element("p", { className: "note", textContent: "None of the runs shown has any." });
  host.replaceChildren(...(panels.length ? panels : [nothing]));
}

// One legend for all embeddings; a click shows a class alone, another click all of them.
function setUpHighlight() {
  const host = byId("class-legend");
  if (!host) return;
  const runs = report.runs.filter((run) => run.embedding);
  const classes = new Map(runs.flatMap((run) => [...new Set(run.embedding.label)].sort((a, b) => a - b).map((c) => [className(run, c), c])));
  const buttons = [...classes].map(([name, c]) => {
    const mark = element("span", { className: `swatch k${c % 10}`, ariaHidden: "true" });
    const button = element("button", { type: "button", ariaPressed: "false" }, mark, String(name));
    button.addEventListener("click", () => {
      highlighted = highlighted === name ? null : name;
      for (const [other, of] of buttons) other.setAttribute("aria-pressed", String(of === highlighted));
      document.querySelectorAll(".embedding").forEach(redraw);
    });
    return [button, name];
  });
  host.append(...buttons.map(([button]) => button));
}

function setUpFeatures() {
  const host = byId("features-chooser");
  if (!host) return;
  setUpHighlight();
  const runs = report.runs.filter((run) => run.embedding || run.clusters.length || run.companions.length);
  let shown = [];
  const fillClusters = () => {
    fill("clusters", shown, clustersPanel);
    fill("matrices", shown, matrixPanel);
  };
  setUpClusterings(runs, fillClusters);
  chooser(host, runs, (chosen) => {
    hideTip();
    shown = chosen;
    fill("embeddings", chosen, embeddingPanel);
    fillClusters();
    fill("companions", chosen, companionsPanel);
  });
}

setUpFeatures();
