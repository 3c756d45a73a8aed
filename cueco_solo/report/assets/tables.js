// Sorting, filtering and unfolding of the tables. What is sorted are table bodies: a row with its runs.
function sortValue(body, column, numeric) {
  const cell = body.rows[0].cells[column];
  const value = cell.dataset.value;
  if (value === undefined) return null;
  return numeric ? Number(value) : value.toLowerCase();
}

function compareValues(a, b, direction) {
  // What wasn't measured stands last in either direction.
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
  return direction * order;
}

function sortTable(table, head) {
  const numeric = "numeric" in head.dataset;
  const before = head.getAttribute("aria-sort");
  // Figures begin with the highest, names with the first.
  const ascending = before === "none" ? !numeric : before === "descending";
  for (const other of table.querySelectorAll("[aria-sort]")) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const column = Number(head.dataset.column);
  const items = [...table.tBodies].map((body) => [sortValue(body, column, numeric), body]);
  items.sort((a, b) => compareValues(a[0], b[0], ascending ? 1 : -1));
  table.append(...items.map(([, body]) => body));
  announce(`Sorted by ${head.textContent.trim()}, ${ascending ? "ascending" : "descending"}`);
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const button of table.querySelectorAll(".sort")) {
    button.addEventListener("click", () => sortTable(table, button.closest("th")));
  }
  for (const button of table.querySelectorAll(".expand")) {
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-expanded") === "false";
      button.setAttribute("aria-expanded", String(open));
      for (const row of button.closest("tbody").querySelectorAll(".single")) row.hidden = !open;
    });
  }
}

function filterRows(table, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const bodies = [...table.tBodies];
  for (const body of bodies) {
    const names = [...body.querySelectorAll("th, td[data-value]:not(.number)")];
    const content = names.map((cell) => cell.textContent).join(" ").toLowerCase();
    body.hidden = !words.every((word) => content.includes(word));
  }
  return [bodies.filter((body) => !body.hidden).length, bodies.length];
}

function filterColumns(table, protocol, every) {
  for (const cell of table.querySelectorAll("[data-protocol]")) {
    // A protocol that was asked for is shown whole.
    const wanted = protocol ? cell.dataset.protocol === protocol : every || !("secondary" in cell.dataset);
    if (cell.tagName === "TBODY") cell.hidden ||= !wanted;
    else cell.hidden = !wanted;
  }
  for (const group of table.querySelectorAll("[data-group]")) {
    const heads = [...table.querySelectorAll("th[data-column][data-protocol]:not([hidden])")];
    const count = heads.filter((head) => head.dataset.protocol === group.dataset.group).length;
    group.hidden = count === 0;
    group.colSpan = Math.max(count, 1);
  }
  if (!("sparse" in table.dataset)) return;
  // A published row that has nothing in the columns left says nothing.
  for (const body of table.tBodies) {
    const cells = [...body.querySelectorAll("td[data-protocol]:not([hidden])")];
    if (!cells.some((cell) => cell.dataset.value !== undefined)) body.hidden = true;
  }
}

for (const tools of document.querySelectorAll(".tools[data-for]")) {
  const table = byId(tools.dataset.for);
  const every = tools.querySelector(".every");
  const update = () => {
    const [, total] = filterRows(table, tools.querySelector(".filter").value);
    filterColumns(table, tools.querySelector(".protocol").value, every && every.checked);
    const shown = [...table.tBodies].filter((body) => !body.hidden).length;
    tools.querySelector(".shown").textContent = shown === total ? `${total} rows` : `${shown} of ${total} rows`;
  };
  tools.addEventListener("input", update);
  update();
}
