// Charts are drawn when they come into view, again when the theme changes, and all before printing.
const charts = new Map();

const colour = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const seriesColour = (index) => colour(`--c${index % 8}`);
// Ten hues that people with a colour vision deficiency tell apart, and symbols where there are more.
const classColour = (index) => colour(`--k${index % 10}`);
const DASHES = ["solid", "dash", "dot", "dashdot"];
const seriesDash = (index) => DASHES[Math.floor(index / 8) % DASHES.length];
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "x", "triangle-down"];

// Plotly reads markup in what it is given; these entities it turns back into characters.
function plain(text, most = 60) {
  const whole = String(text);
  const short = whole.length > most ? `${whole.slice(0, most - 1)}…` : whole;
  return short.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function axis(title, more = {}) {
  const line = colour("--line");
  return {
    title: { text: title, font: { size: 13 } }, gridcolor: line, zerolinecolor: line, linecolor: line,
    automargin: true, ...more,
  };
}

const touch = matchMedia("(pointer: coarse)").matches;

function layout(more) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: colour("--text") },
    margin: { l: 48, r: 12, t: 16, b: 44 },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--edge"), font: { color: colour("--text") }, namelength: -1 },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--soft"), activecolor: colour("--accent") },
    // A finger that moves over a chart shall scroll the page.
    dragmode: touch ? false : "zoom",
    ...more,
  };
}

// The list of buttons is given whole: plotly.js has one of its own that sends a chart to a server.
const PLOT_CONFIG = {
  displaylogo: false, responsive: true, displayModeBar: touch ? false : "hover", showTips: false,
  showSendToCloud: false, plotlyServerURL: "", modeBarButtons: [["toImage", "resetScale2d"]],
};

function drawNow(host) {
  const chart = charts.get(host);
  const { traces, plotLayout } = chart.figure();
  Plotly.react(host, traces, layout(plotLayout), PLOT_CONFIG);
  if (!chart.drawn && chart.ready) chart.ready(host);
  chart.drawn = true;
}

const inView = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const chart = charts.get(entry.target);
    if (!chart) continue;
    chart.visible = entry.isIntersecting;
    if (chart.visible && (!chart.drawn || chart.stale)) {
      chart.stale = false;
      drawNow(entry.target);
    }
  }
}, { rootMargin: "200px" });

// ready is called once, after the first drawing, to listen to the chart.
function chart(host, figure, ready) {
  charts.set(host, { figure, ready, drawn: false, visible: false, stale: false });
  inView.observe(host);
}

function redraw(host) {
  const known = charts.get(host);
  if (known.visible) drawNow(host);
  else known.stale = true;
}

function forget(host) {
  inView.unobserve(host);
  if (charts.get(host)?.drawn) Plotly.purge(host);
  charts.delete(host);
}

document.addEventListener("theme", () => charts.forEach((_, host) => redraw(host)));

// Paper is white, and nobody scrolls on it.
let themeBefore = null;
let closedBefore = [];
addEventListener("beforeprint", () => {
  themeBefore = root.dataset.theme;
  root.dataset.theme = "light";
  closedBefore = [...document.querySelectorAll("details.how:not([open])")];
  for (const details of closedBefore) details.open = true;
  root.classList.add("printing");  // paper is narrower than most screens: charts are drawn for it
  charts.forEach((_, host) => { if (host.offsetParent) drawNow(host); });
});
addEventListener("afterprint", () => {
  for (const details of closedBefore) details.open = false;
  root.classList.remove("printing");
  setTheme(themeBefore);
});
