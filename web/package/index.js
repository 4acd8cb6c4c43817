// Loads the Beckon chat widget from the server that a company runs. Safe to import where there is no `window`.

let loading = null;

/** See `index.d.ts`. */
export function load(origin, { nonce, ...options } = {}) {
  if (typeof document === "undefined") return new Promise(() => {});
  if (loading) {
    window.Beckon("boot", options);
    return loading;
  }
  window.Beckon ??= function () {
    (window.Beckon.q ??= []).push(arguments);
  };
  window.Beckon("boot", options);
  loading = new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.async = true;
    script.src = new URL("/widget.js", origin).href;
    if (nonce) script.nonce = nonce;
    script.onload = () => resolve(window.Beckon);
    script.onerror = () => {
      loading = null;
      script.remove();
      reject(new Error(`Beckon: ${script.src} could not be loaded`));
    };
    document.head.append(script);
  });
  return loading;
}
