// Whether it helped: asked once for a conversation, on whichever page and tab.

import type { Conversation } from "../conversation";
import type { Session } from "../session";
import type { Store } from "../storage";

/** A rating that was not sent yet. */
export interface Rating {
  score: number;
  comment: string;
}

const REMEMBERED = 50;

export class Ratings {
  readonly #drafts = new Map<string, Rating>();
  readonly #lasting: Store;
  readonly #session: Session;

  constructor(session: Session, lasting: Store) {
    this.#session = session;
    this.#lasting = lasting;
  }

  /** The one that is being made. */
  draft({ id }: Conversation): Rating {
    const made = this.#drafts.get(id) ?? { score: 0, comment: "" };
    this.#drafts.set(id, made);
    return made;
  }

  /** Under way, or given before. */
  has({ id }: Conversation): boolean {
    const underWay = this.#session.outbox.list.some(({ frame }) => frame.type === "rate" && frame.conversation_id === id);
    return underWay || this.#given().includes(id);
  }

  given(id: string): void {
    const others = this.#given().filter((one) => one !== id);
    this.#lasting.set("rated", [...others, id].slice(-REMEMBERED));
  }

  #given(): string[] {
    return (this.#lasting.get("rated") as string[] | null) ?? [];
  }
}
