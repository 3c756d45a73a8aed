// Configurations side by side: keys that differ between the chosen runs, or all of them.
// Lines may break behind a dot or underscore.
function breakable(key) {
  return key.split(/(?<=[._])/).flatMap((part) => [part, element("wbr")]);
}

function configRow(key, runs) {
  const values = runs.map((run) => (key in run.config ? String(run.config[key]) : null));
  const differs = new Set(values).size > 1;
  const cells = values.map((value) =>
    element("td", value === null ? { className: "none", textContent: "not set" } : { textContent: value }));
  return { key, differs, row: element("tr", { className: differs ? "differs" : "" }, element("th", { scope: "row" }, ...breakable(key)), ...cells) };
}

function showConfig(runs, everything) {
  const keys = [...new Set(runs.flatMap((run) => Object.keys(run.config)))].sort();
  const rows = keys.map((key) => configRow(key, runs));
  const shown = rows.filter(({ differs }) => differs || everything);
  // What only one method knows doesn't differ between methods: it stands apart.
  const methods = new Set(runs.map((run) => run.series));
  const alone = (key) => methods.size > 1 && new Set(runs.filter((run) => key in run.config).map((run) => run.series)).size === 1;
  const apart = shown.filter(({ key }) => alone(key));
  const body = (some) => element("tbody", {}, ...some.map(({ row }) => row));
  const title = element("th", { scope: "rowgroup", colSpan: runs.length + 1, textContent: "Settings that one method has" });
  const heads = runs.map((run) => element("th", { scope: "col" }, swatch(run), run.label));
  const head = element("thead", {}, element("tr", {}, element("th", { scope: "col", textContent: "Key" }), ...heads));
  byId("config").classList.toggle("everything", everything);
  byId("config").replaceChildren(head, body(shown.filter(({ key }) => !alone(key))), ...(apart.length ? [element("tbody", { className: "apart" }, element("tr", {}, title)), body(apart)] : []));
  const differing = rows.filter(({ differs }) => differs).length;
  byId("config-shown").textContent = runs.length < 2
    ? "Choose two runs or more to see what differs."
    : `${differing} of ${keys.length} keys differ`;
}

function setUpConfig() {
  const host = byId("config-chooser");
  if (!host) return;
  const everything = byId("all-keys");
  const runs = report.runs.filter((run) => Object.keys(run.config).length);
  let chosen = [];
  const update = () => showConfig(chosen, everything.checked);
  chooser(host, runs, (now) => { chosen = now; update(); });
  everything.addEventListener("change", update);
}

setUpConfig();
