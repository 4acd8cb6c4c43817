// The little that a page has to say to Beckon: a fresh token when the old one has run out, and goodbye.
(() => {
  window.Beckon = window.Beckon || function () { (window.Beckon.q = window.Beckon.q || []).push(arguments); };

  window.Beckon("on", "token_expired", async () => {
    try {
      const answer = await fetch("/token", { headers: { accept: "application/json" } });
      if (!answer.ok) return;
      const { customer, name, token } = await answer.json();
      window.Beckon("identify", customer, { name }, { token });
    } catch {
      // The company is away: Beckon asks again when it next needs a token.
    }
  });

  for (const form of document.querySelectorAll("[data-leave]")) {
    form.addEventListener("submit", () => window.Beckon("reset"));
  }
})();
