// What a page can do with the Beckon chat widget. The frames of `beckon.v1` are in `frames.d.ts`.

/** A signed token, or a function that fetches one whenever one is needed. */
export type Token = string | (() => string | Promise<string>);

/** Also as `data-` attributes of the script tag, with `-` before what is a capital here (`data-z-index`). */
export interface Options {
  /** Who this is; without one the customer is anonymous. */
  token?: Token | null;
  /** BCP 47, such as `de` or `ar-EG`; else that of the page. */
  locale?: string;
  /** Else it follows from the locale and the page. */
  dir?: "ltr" | "rtl" | "";
  theme?: "auto" | "light" | "dark";
  /** Any opaque CSS colour. Text on it and its edge are chosen so that they can be read. */
  accent?: string;
  position?: "end" | "start";
  /** `none` keeps nothing on the device. */
  storage?: "local" | "none";
  /** `auto` shows the launcher as soon as there is a conversation; `false` is `never`. */
  launcher?: "auto" | "always" | "never" | false;
  /** Name of the company, above who speaks. */
  company?: string;
  zIndex?: string | number;
  /** The number of unread messages before the page's title. */
  title?: "count" | "none";
  /** A dot on the page's icon; its policy must allow `data:` images. */
  favicon?: "none" | "dot";
  /** A short, quiet tone for what came and is unread; off unless it is asked for. */
  sound?: boolean;
}

/** Which playbook opened a conversation, and its own words on why. */
export interface Explanation {
  conversation_id: string;
  playbook: string;
  why: string;
}

/** What `on` tells. Each is also a CustomEvent on `document`: `message:sent` is `beckon:message-sent`. */
export interface Events {
  ready: undefined;
  open: undefined;
  close: undefined;
  "message:sent": { conversation_id: string | undefined; text?: string; choice?: unknown };
  "message:received": { conversation_id: string; text?: string };
  unread: { count: number };
  handover: { conversation_id: string; holder: "assistant" | "queue" | "operator" };
  csat: { conversation_id: string; score: number };
  "proactive:shown": { conversation_id: string; playbook: string };
  "proactive:dismissed": { conversation_id: string; playbook: string };
  connection: { status: "idle" | "connecting" | "online" | "offline" | "needs_token" | "stopped" };
  error: { code: string; message: string };
  /** The token in use ran out and the page must give another, by `identify`. */
  token_expired: undefined;
}

/** Every call. `Beckon('open')` and `Beckon.open()` are the same. */
export interface Calls {
  /** Starts, or changes options of what runs. */
  boot(options?: Options): void;
  /** Changes options; starts nothing. */
  configure(options?: Options): void;
  /** Resolves when the widget is on the page. Before the script is there only the callback works. */
  ready(then?: () => void): Promise<void>;
  /** Takes everything off the page; `boot` starts again. */
  shutdown(): void;
  open(conversation?: string): void;
  openConversation(conversation: string): void;
  /** Opens the panel with these words written, for the customer to send. */
  compose(text?: string): void;
  close(): void;
  toggle(): void;
  /** The launcher and all else. */
  hide(): void;
  show(): void;
  /** Who this is, as the token says; what stands before it is for the reader of the page's code. */
  identify(userId: string, traits: object | undefined, given: { token: Token }): void;
  /** On logout, in all tabs: forgets who this was and all that was said. */
  reset(): void;
  /** An event, trusted as what a browser says. */
  track(event: string, properties?: object): void;
  /** `segment.page` with the address, and a new view: another bubble may come. */
  page(name?: string, properties?: object): void;
  /** The answer stops it again. */
  on<Name extends keyof Events>(name: Name, listener: (detail: Events[Name]) => void): () => void;
  /** What is on show and why; null where nothing is. */
  explain(): Explanation | null;
}

export interface Beckon extends Calls {
  <Name extends keyof Events>(call: "on", name: Name, listener: (detail: Events[Name]) => void): () => void;
  <Name extends Exclude<keyof Calls, "on">>(call: Name, ...args: Parameters<Calls[Name]>): ReturnType<Calls[Name]>;
}

type DocumentEventNames = { [Name in keyof Events as `beckon:${Name extends `${infer A}:${infer B}` ? `${A}-${B}` : Name extends "token_expired" ? "token-expired" : Name}`]: CustomEvent<Events[Name]> };

declare global {
  interface Window {
    Beckon: Beckon;
  }
  interface DocumentEventMap extends DocumentEventNames {
    /** Prevented, the conversation gets no bubble, only the launcher's number. */
    "beckon:before-proactive": CustomEvent<Explanation>;
  }
  interface HTMLElementTagNameMap {
    "beckon-widget": HTMLElement;
  }
}
