// One state for the page: filter, protocol, metrics and order act on tables, charts and differences.
const state = { words: [], protocol: "", every: false, column: null, ascending: true };
const summary = byId("summary");
const initialOrder = summary ? [...summary.tBodies] : [];

function sortValue(body, column, numeric) {
  const value = body.rows[0].cells[column].dataset.value;
  if (value === undefined) return null;
  return numeric ? Number(value) : value.toLowerCase();
}

function compareValues(a, b, direction) {
  // What wasn't measured stands last in either direction.
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  return direction * order;
}

function sorted(table, bodies, column, ascending) {
  const head = table.querySelector(`th[data-column="${column}"]`);
  const items = bodies.map((body) => [sortValue(body, column, "numeric" in head.dataset), body]);
  items.sort((a, b) => compareValues(a[0], b[0], ascending ? 1 : -1));
  for (const other of table.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  return items.map(([, body]) => body);
}

// Figures begin with the highest, names with the first; a second click turns them round.
function firstWay(table, column) {
  return !("numeric" in table.querySelector(`th[data-column="${column}"]`).dataset);
}

function sortBy(column) {
  const ascending = state.column === column ? !state.ascending : firstWay(summary, column);
  Object.assign(state, { column, ascending });
  byId("sort").value = String(column);
  update();
  const head = summary.querySelector(`th[data-column="${column}"]`);
  announce(`Sorted by ${head.textContent.trim()}, ${ascending ? "ascending" : "descending"}`);
}

function matches(body) {
  const content = body.rows[0].cells[0].textContent.toLowerCase();
  const row = report.rows[body.dataset.row];
  const dataset = row ? row.name.toLowerCase() : "";
  return state.words.every((word) => content.includes(word) || dataset.includes(word));
}

// A protocol that was asked for is shown whole.
const wanted = (cell) =>
  state.protocol ? cell.dataset.protocol === state.protocol : state.every || !("secondary" in cell.dataset);

function showColumns(table) {
  for (const cell of table.querySelectorAll("[data-protocol]")) cell.hidden = !wanted(cell);
  for (const group of table.querySelectorAll("[data-group]")) {
    const heads = [...table.querySelectorAll("th[data-column][data-protocol]:not([hidden])")];
    const count = heads.filter((head) => head.dataset.protocol === group.dataset.group).length;
    group.hidden = count === 0;
    group.colSpan = Math.max(count, 1);
  }
}

// What stands in the table now, in its order: rows of report.rows, and their methods.
const shownRows = () =>
  summary ? [...summary.tBodies].filter((body) => !body.hidden).map((body) => Number(body.dataset.row)) : [];
function shownSeries() {
  const shown = report.rows.length ? shownRows().map((i) => report.rows[i]) : report.runs;
  return [...new Set(shown.map((of) => of.series))];
}
const shownRuns = () => shownSeries().flatMap((series) => report.runs.filter((run) => run.series === series));

function follow(host, key, order) {
  const bodies = [...host.querySelectorAll(`[data-${key}]`)];
  const place = (body) => order.indexOf(key === "row" ? Number(body.dataset.row) : body.dataset.series);
  for (const body of bodies) body.hidden = place(body) < 0;
  bodies.sort((a, b) => place(a) - place(b));
  if (bodies.length) bodies[0].parentElement.append(...bodies);
}

function update() {
  if (!summary) return;
  for (const body of initialOrder) body.hidden = !matches(body);
  const order = state.column === null
    ? initialOrder : sorted(summary, [...initialOrder], state.column, state.ascending);
  if (state.column === null) summary.querySelectorAll("[aria-sort]").forEach((head) => head.setAttribute("aria-sort", "none"));
  summary.append(...order);
  showColumns(summary);
  const rows = shownRows();
  for (const panel of document.querySelectorAll("#forest .panel")) {
    panel.hidden = !wanted(panel);
    follow(panel.querySelector("table"), "row", rows);
    panel.hidden ||= !panel.querySelector("tbody:not([hidden])");
  }
  for (const host of document.querySelectorAll("#why table, #knn .panels")) follow(host, "series", shownSeries());
  const total = initialOrder.length;
  byId("shown").textContent = rows.length === total ? `${total} rows` : `${rows.length} of ${total} rows`;
  updatePublished();
  document.dispatchEvent(new Event("state"));
}

function updatePublished() {
  const table = byId("others");
  if (!table) return;
  showColumns(table);
  for (const body of table.tBodies) {
    const cells = [...body.querySelectorAll("td[data-protocol]:not([hidden])")];
    // A published row that has nothing in the columns left says nothing.
    body.hidden = !matches(body) || !cells.some((cell) => cell.dataset.value !== undefined);
  }
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const button of table.querySelectorAll(".sort")) {
    const head = button.closest("th");
    const column = Number(head.dataset.column);
    button.addEventListener("click", () => {
      if (table === summary) return sortBy(column);
      const before = head.getAttribute("aria-sort");
      const ascending = before === "none" ? firstWay(table, column) : before === "descending";
      return table.append(...sorted(table, [...table.tBodies], column, ascending));
    });
  }
  for (const button of table.querySelectorAll(".expand")) {
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "false";
      button.setAttribute("aria-expanded", String(open));
      for (const row of button.closest("tbody").querySelectorAll(".single")) row.hidden = !open;
    });
  }
}

if (summary) {
  byId("filter").addEventListener("input", (event) => {
    state.words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    update();
  });
  byId("protocol").addEventListener("input", (event) => { state.protocol = event.target.value; update(); });
  byId("every")?.addEventListener("input", (event) => { state.every = event.target.checked; update(); });
  byId("sort").addEventListener("input", (event) => {
    state.column = null;
    if (event.target.value === "") update();
    else sortBy(Number(event.target.value));
  });
  update();
}
