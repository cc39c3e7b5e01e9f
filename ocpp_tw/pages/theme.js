// Light or dark before anything is painted: what was chosen here, else what the system says (app.css).
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // a browser that stores nothing follows the system
}
