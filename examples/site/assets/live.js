// Keeps the page in step with what the company knows: asks once a second, changes only what changed, never reloads.
(() => {
  const ask = async () => {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok) {
        const now = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of document.querySelectorAll("[data-live]")) {
          const fresh = now.getElementById(part.id);
          if (fresh && fresh.innerHTML !== part.dataset.shown) {
            part.innerHTML = part.dataset.shown = fresh.innerHTML;
          }
        }
      }
    } catch {
      // The company is away for a moment: ask again.
    }
    setTimeout(ask, 1000);
  };
  for (const part of document.querySelectorAll("[data-live]")) part.dataset.shown = part.innerHTML;
  if (document.querySelector("[data-live]")) setTimeout(ask, 1000);
})();
