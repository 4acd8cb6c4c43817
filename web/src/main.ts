// The script tag starts here: finds itself, takes over the queue, and boots.

import { Widget } from "./api";
import { next } from "./next";

/** Those that give something back. */
const ANSWERED = ["on", "ready", "explain"];
/** Every method of the widget is a call of the page. */
const METHODS = Object.getOwnPropertyNames(Widget.prototype).filter((name) => name !== "constructor");
type Global = ((method: string, ...args: unknown[]) => unknown) & { q?: ArrayLike<unknown>[]; running?: true };

function begin(): void {
  const page = window as unknown as { Beckon?: Global };
  if (page.Beckon?.running) {
    console.info("Beckon: the widget is on this page already.");
    return;
  }
  const script = (document.currentScript ?? document.querySelector('script[src*="/widget.js"]')) as HTMLScriptElement | null;
  if (!script?.src) {
    console.error("Beckon: it must be loaded by a script tag with src.");
    return;
  }
  const queue = Array.from(page.Beckon?.q ?? [], (call) => Array.from(call));
  const widget = new Widget(new URL(script.src).origin, script);
  let started = false;
  const call = (method: string, ...args: unknown[]): unknown => {
    if (!METHODS.includes(method)) {
      console.warn(`Beckon: there is no "${method}".`);
      return undefined;
    }
    // Until then calls wait with those that the page made before; whoever waits for an answer has it.
    if (!started && !ANSWERED.includes(method)) return void queue.push([method, ...args]);
    return (widget[method as keyof Widget] as (...args: unknown[]) => unknown).apply(widget, args);
  };
  const api: Global = Object.assign(call, { running: true as const });
  for (const method of METHODS) Object.assign(api, { [method]: call.bind(null, method) });
  page.Beckon = api;

  // Options and listeners of the queue first: the first connection is made with what the page wants.
  const named = (...names: unknown[]) => queue.filter(([name]) => names.includes(name));
  for (const call of named("on")) api(...(call as [string]));
  void next().then(() => {
    started = true;
    const identify = named("identify").at(-1)?.[3] as { token?: unknown } | undefined;
    const early = named("on", "boot", "configure", "identify");
    widget.boot(Object.assign({}, ...named("boot", "configure").map(([, options]) => options), identify?.token === undefined ? {} : { token: identify.token }));
    for (const call of queue) if (!early.includes(call)) api(...(call as [string]));
  });
}

begin();
