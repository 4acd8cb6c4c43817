// The Preact of the widget, under the name of its runtime: a part must draw with the same one.

import type * as runtime from "preact/jsx-runtime";

export let jsx: typeof runtime.jsx;
export let jsxs: typeof runtime.jsxs;
export let Fragment: typeof runtime.Fragment;

export type Kit = Pick<typeof runtime, "jsx" | "jsxs" | "Fragment">;

export function use(kit: Kit): void {
  ({ jsx, jsxs, Fragment } = kit);
}
