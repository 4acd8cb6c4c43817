// Who this session says it is: a token of the page, or the anonymous id that the server gave.

import type { Opening } from "./storage";

export type Token = string | (() => string | Promise<string>);

export class Identity {
  /** Whom the server takes this session for, as the last `welcome` said. */
  customer: string | null = null;
  #source: Token | null = null;
  #current: string | null = null;

  readonly #storages: Opening;

  constructor(storages: Opening) {
    this.#storages = storages;
  }

  /** False where nothing changed. */
  use(token: Token | null): boolean {
    if (token === this.#source) return false;
    this.#source = token;
    this.#current = typeof token === "string" ? token : null;
    return true;
  }

  /** `undefined`: none is wanted. Null: the page must give another one. Rejects where the page's function does. */
  async token(renew: boolean): Promise<string | null | undefined> {
    if (this.#source === null) return undefined;
    if (typeof this.#source === "function") {
      if (renew || this.#current === null) {
        const token: unknown = await this.#source();
        if (typeof token !== "string" || !token) throw new TypeError("the page's function gave no token");
        this.#current = token;
      }
    } else if (renew) {
      this.#current = null;
    }
    return this.#current;
  }

  get anonymous(): string | undefined {
    const id = this.#storages().lasting.get("anonymous");
    return typeof id === "string" ? id : undefined;
  }

  /** The same for all tabs that speak for one customer. What a token claims is only looked at, the server proves it. */
  async key(): Promise<string> {
    const token = await this.token(false);
    if (!token) return "anonymous";
    try {
      const claims = JSON.parse(atob((token.split(".")[1] ?? "").replace(/-/g, "+").replace(/_/g, "/")));
      return `user:${claims.sub}`;
    } catch {
      return token;
    }
  }

  welcomed(customer: string, anonymous: string | undefined): void {
    this.customer = customer;
    if (anonymous !== undefined) this.#storages().lasting.set("anonymous", anonymous);
  }

  forget(): void {
    this.customer = null;
    this.#source = this.#current = null;
    this.#storages().lasting.set("anonymous", null);
  }
}
