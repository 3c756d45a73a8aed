// Before anything is drawn, so that a dark page doesn't flash white.
(function () {
  "use strict";
  var chosen = null;
  try {
    chosen = localStorage.getItem("cueco-solo-theme");
  } catch (error) {
    // Storage may be barred for files; the system's preference holds then.
  }
  var dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = chosen || (dark ? "dark" : "light");
})();
