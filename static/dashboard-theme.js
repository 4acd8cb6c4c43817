// Loaded before the page is drawn, so that a theme chosen here does not flash.
try {
  const chosen = localStorage.getItem("beckon-theme")
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen
} catch { /* no storage: as the system says */ }
