import type { Beckon, Options } from "./beckon";

export type * from "./beckon";
export type * from "./frames";

/**
 * Loads the widget from a Beckon server, once, and boots it with these options.
 * Rejects where the script cannot be loaded; called again it loads again.
 */
export function load(origin: string, options?: Options & { nonce?: string }): Promise<Beckon>;
