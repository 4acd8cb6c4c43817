// The frames of `beckon.v1`, as the widget sends and reads them.

export type By = "customer" | "assistant" | "operator" | "system";
export type Holder = "assistant" | "queue" | "operator";
export type Phase = "waiting" | "open" | "closed";

/** Where a reader stands in a log: the last entry it holds. */
export interface Cursor {
  seq: number;
  id: string;
}

export interface Choice {
  label: string;
  value: unknown;
}

/** A file of a message. Its bytes are fetched by its id. */
export interface Attachment {
  id: string;
  name: string;
  type: string;
  /** Bytes. */
  size: number;
  /** Of pictures, in pixels. */
  width?: number;
  height?: number;
}

/** What files a message may have. */
export interface Limits {
  /** Bytes of each. */
  max_size: number;
  max_count: number;
  types: string[];
}

/** One line of a log. What a kind does not have is undefined; kinds that are not known are kept and not shown. */
export interface Entry {
  seq: number;
  id: string;
  at: number | string;
  by: By;
  kind: string;
  turn_id?: string;
  /** Grows by epoch, step and attempt. */
  try?: number;
  text?: string;
  /** `text` formatted: Markdown that the server made HTML of, and cleaned. */
  html?: string;
  /** Language of the words, where it is told. */
  locale?: string;
  attachments?: Attachment[];
  choices?: unknown[];
  choice?: unknown;
  client_id?: string;
  call_id?: string;
  summary?: string;
  args?: unknown;
  approve?: boolean;
  name?: string;
  state?: string;
  holder?: Holder;
  outcome?: unknown;
}

export interface ConversationFrame {
  id: string;
  playbook?: string;
  state: Phase;
  holder: Holder;
  why?: string;
  last_seq?: number;
  entries: Entry[];
}

export interface Delta {
  type: "delta";
  conversation_id: string;
  turn_id: string;
  try: number;
  index: number;
  text: string;
}

export interface ErrorFrame {
  type: "error";
  code: string;
  message: string;
  client_id?: string;
  conversation_id?: string;
  /** Seconds. */
  retry_after?: number;
}

export type ServerFrame =
  | { type: "welcome"; customer: string; anonymous_id?: string; conversations: ConversationFrame[]; attachments?: Limits | undefined }
  | { type: "opened"; conversation: ConversationFrame }
  | ({ type: "entry"; conversation_id: string } & Entry)
  | Delta
  | { type: "dropped"; conversation_id: string; turn_id: string }
  | { type: "typing"; conversation_id: string; by: By; call?: string }
  | { type: "ack"; client_id: string; conversation_id?: string; seq?: number }
  | { type: "reset"; conversation_id: string }
  | { type: "moved"; customer: string }
  | ErrorFrame
  | { type: "pong" };

export interface Hello {
  type: "hello";
  token?: string;
  anonymous_id?: string;
  /** IANA, for quiet hours. */
  timezone?: string;
  resume: Record<string, Cursor>;
}

/** Frames that end in `ack` or `error` with their `client_id`, and are sent until they do. */
export type Answerable =
  | { type: "say"; client_id: string; conversation_id?: string; text: string; attachments?: string[] }
  | { type: "choose"; client_id: string; conversation_id: string; choice: unknown }
  | { type: "confirm"; client_id: string; conversation_id: string; call_id: string; approve: boolean }
  | { type: "rate"; client_id: string; conversation_id: string; score: number; comment?: string }
  | { type: "helped"; client_id: string; conversation_id: string; seq: number; helped: boolean }
  | { type: "stop"; client_id: string; conversation_id: string }
  | { type: "close"; client_id: string; conversation_id: string }
  | { type: "track"; client_id: string; conversation_id?: never; event: string; properties: unknown };

export type ClientFrame =
  | Hello
  | Answerable
  | { type: "seen"; conversation_id: string; seq: number }
  | { type: "typing"; conversation_id: string }
  | { type: "ping" };

const text = (value: unknown): value is string => typeof value === "string";
const whole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const record = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const entry = (value: unknown): boolean =>
  record(value) && whole(value.seq) && value.seq > 0 && text(value.kind) && text(value.by);

const conversation = (value: unknown): boolean =>
  record(value) && text(value.id) && text(value.state) && Array.isArray(value.entries) && value.entries.every(entry);

const shapes: Record<string, (frame: Record<string, unknown>) => boolean> = {
  welcome: (f) => text(f.customer) && Array.isArray(f.conversations) && f.conversations.every(conversation),
  opened: (f) => conversation(f.conversation),
  entry: (f) => text(f.conversation_id) && entry(f),
  delta: (f) => text(f.conversation_id) && text(f.turn_id) && whole(f.try) && whole(f.index) && text(f.text),
  dropped: (f) => text(f.conversation_id) && text(f.turn_id),
  typing: (f) => text(f.conversation_id) && text(f.by),
  ack: (f) => text(f.client_id),
  reset: (f) => text(f.conversation_id),
  moved: (f) => text(f.customer),
  error: (f) => text(f.code),
  pong: () => true,
};

/** Reads one frame. Null for what is no frame, or of a type this version does not know: both are skipped. */
export function readFrame(data: unknown): ServerFrame | null {
  if (!text(data)) return null;
  let frame: unknown;
  try {
    frame = JSON.parse(data);
  } catch {
    return null;
  }
  if (!record(frame) || !text(frame.type) || !Object.hasOwn(shapes, frame.type)) return null;
  return shapes[frame.type]?.(frame) ? (frame as unknown as ServerFrame) : null;
}

/** Choices of an entry: written as plain words, or with a label and a value of their own. */
export function choicesOf(entry: Entry): Choice[] {
  return (Array.isArray(entry.choices) ? entry.choices : []).flatMap((item: unknown) => {
    if (record(item)) return [{ label: String(item.label ?? item.value ?? ""), value: item.value ?? item.label }];
    return item === null || item === undefined ? [] : [{ label: String(item), value: item }];
  });
}

/** 24 random URL-safe characters: 144 bits. */
export function clientId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_");
}
