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

// Checkboxes for runs; onchange gets the chosen runs, and is called once at the start.
function chooser(host, runs, initial, onchange) {
  const title = element("summary");
  const fields = element("fieldset", {}, element("legend", { className: "hidden-text", textContent: "Runs" }));
  const boxes = runs.map((run) => {
    const box = element("input", { type: "checkbox", checked: initial.includes(run) });
    fields.append(element("label", { className: "check" }, box, swatch(run), run.label));
    return box;
  });
  const tell = () => {
    const chosen = runs.filter((_, i) => boxes[i].checked);
    title.textContent = `Runs shown: ${chosen.length} of ${runs.length}`;
    onchange(chosen);
  };
  fields.addEventListener("change", tell);
  host.append(element("details", { className: "chooser", open: runs.length <= 12 }, title, fields));
  tell();
}

// The first run of each method, so that a page opens with methods side by side.
function firstOfEach(runs, most) {
  const seen = new Set();
  return runs.filter((run) => !seen.has(run.series) && seen.add(run.series)).slice(0, most);
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
