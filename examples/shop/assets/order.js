// Keeps the page in step with the order it shows: asks once a second, changes only what changed, never reloads.
(() => {
  const order = document.querySelector("[data-order]");
  if (!order) return;
  let shown = order.dataset.status;

  const show = (now) => {
    for (const place of document.querySelectorAll("[data-live]")) {
      const text = String(now[place.dataset.live]);
      if (place.textContent !== text) place.textContent = text;
    }
    if (now.status === shown) return;
    shown = order.dataset.status = now.status;
    for (const part of document.querySelectorAll("[data-when]")) {
      part.hidden = !part.dataset.when.split(" ").includes(now.status);
    }
    document.title = `${now.label} · Order ${now.number} · Northwind`;
    const told = document.querySelector("[data-told]");
    if (told) told.textContent = `Order ${now.number}: ${now.label}.`;
  };

  const ask = async () => {
    try {
      const answer = await fetch(`/orders/${order.dataset.order}/status`, { headers: { accept: "application/json" } });
      if (answer.ok) show(await answer.json());
      if (answer.status === 401 || answer.status === 404) return; // the shop has forgotten us
    } catch {
      // The shop is away for a moment: ask again.
    }
    if (shown !== "paid") setTimeout(ask, 1000);
  };
  if (shown !== "paid") setTimeout(ask, 1000);
})();
