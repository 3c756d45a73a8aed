"use strict";
// What all parts of the page share. Text from the report only ever becomes a text node.
const report = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function announce(text) {
  byId("announce").textContent = text;
}

function picture(images, index, size) {
  const source = images ? images.thumbnails[index] : undefined;
  const shown = element("img", { alt: "", width: size, height: size });
  if (typeof source === "string" && source.startsWith("data:image/")) shown.src = source;
  return shown;
}

const imagesOf = (run) => report.images[run.images] || { classes: [], thumbnails: [] };
const className = (run, label) => imagesOf(run).classes[label] ?? `class ${label}`;
const swatch = (run) => element("span", { className: `swatch c${run.colour % 8}`, ariaHidden: "true" });

function options(select, groups) {
  for (const [title, items] of groups) {
    const holder = title ? element("optgroup", { label: title }) : select;
    for (const [value, text] of items) holder.append(element("option", { value, textContent: text }));
    if (title && items.length) select.append(holder);
  }
}

// The first run of each method, so that a page opens with methods side by side.
function firstOfEach(runs, most) {
  const seen = new Set();
  return runs.filter((run) => !seen.has(run.series) && seen.add(run.series)).slice(0, most);
}

// Checkboxes for those of the runs that the table shows, in its order. Where none was clicked,
// the first of each method is chosen. onchange gets the chosen runs: at the start, and whenever they change.
function chooser(host, runs, onchange) {
  const title = element("summary");
  const fields = element("fieldset", {}, element("legend", { className: "hidden-text", textContent: "Runs" }));
  const boxes = new Map(runs.map((run) => [run, element("input", { type: "checkbox" })]));
  const labels = new Map(runs.map((run) => [run, element("label", { className: "check" }, boxes.get(run), swatch(run), run.label)]));
  let offered = [];
  let before = null;
  const clicked = new Map();
  const tell = () => {
    const chosen = offered.filter((run) => boxes.get(run).checked);
    title.textContent = `Runs shown: ${chosen.length} of ${offered.length}`;
    if (before && chosen.length === before.length && chosen.every((run, i) => run === before[i])) return;
    before = chosen;
    onchange(chosen);
  };
  const follow = () => {
    offered = shownRuns().filter((run) => boxes.has(run));
    fields.append(...offered.map((run) => labels.get(run)));
    for (const [run, label] of labels) label.hidden = !offered.includes(run);
    const first = firstOfEach(offered, 4);
    for (const [run, box] of boxes) box.checked = clicked.get(run) ?? first.includes(run);
    tell();
  };
  for (const [run, box] of boxes) box.addEventListener("change", () => { clicked.set(run, box.checked); tell(); });
  document.addEventListener("state", follow);
  host.append(element("details", { className: "chooser", open: runs.length <= 12 }, title, fields));
  follow();
}

// Theme: "theme" events make the charts follow.
const root = document.documentElement;
const dark = () => root.dataset.theme === "dark";

function setTheme(name) {
  root.dataset.theme = name;
  byId("theme").setAttribute("aria-pressed", String(dark()));
  document.dispatchEvent(new Event("theme"));
}

byId("theme").addEventListener("click", () => {
  setTheme(dark() ? "light" : "dark");
  try {
    localStorage.setItem("cueco-solo-theme", root.dataset.theme);
  } catch (error) {
    // Where storage is barred the choice holds for this visit.
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) =>
  setTheme(event.matches ? "dark" : "light"));
byId("theme").setAttribute("aria-pressed", String(dark()));

// Copying works without the clipboard's permission too.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    const field = element("textarea", { value: text, readOnly: true });
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const done = await copy(button.previousElementSibling.textContent);
    button.focus();
    button.textContent = done ? "Copied" : "Select it by hand";
    announce(done ? "Command copied" : "Copying isn't allowed here");
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// A link to a closed part opens it.
function openTarget() {
  const target = location.hash && byId(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
    target.querySelector("summary").focus({ preventScroll: true });
  }
}
addEventListener("hashchange", openTarget);
openTarget();
