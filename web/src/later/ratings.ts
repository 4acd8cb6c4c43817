// Whether it helped: asked once for a conversation and below each answer, on whichever page and tab.

import type { Conversation } from "../conversation";
import type { News, Session } from "../session";
import type { Store } from "../storage";

/** A rating that was not sent yet. */
export interface Rating {
  score: number;
  comment: string;
}

const REMEMBERED = 50;
/** Of a mark about a message: what was said of it. */
const ANSWER = /=[yn]$/;

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

  /** Notes a conversation, or what was said of a message, so that it is not asked again. */
  given(mark: string): void {
    const about = mark.replace(ANSWER, "");
    const others = this.#given().filter((one) => one.replace(ANSWER, "") !== about);
    this.#lasting.set("rated", [...others, mark].slice(-REMEMBERED));
  }

  /** Whether a message helped, as far as that was said. */
  helped({ id }: Conversation, seq: number): boolean | undefined {
    const mark = this.#given().find((one) => one.replace(ANSWER, "") === `${id}#${seq}`);
    return mark?.endsWith("=y");
  }

  gave({ id }: Conversation, seq: number, helped: boolean): void {
    const mark = `${id}#${seq}=${helped ? "y" : "n"}`;
    this.given(mark);
    this.#session.connection.tell({ rated: mark } satisfies News);
  }

  #given(): string[] {
    return (this.#lasting.get("rated") as string[] | null) ?? [];
  }
}
