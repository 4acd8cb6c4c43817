// What waits beside the words of one conversation, and its way to the server when these are sent.

import { clientId, type Attachment } from "../protocol";
import type { View } from "../view/model";
import type { Files } from "./files";
import { isolated } from "./kinds";
import { Refused, upload } from "./transfer";

/** A screen reader hears how far it is at most so often. */
const TOLD_EVERY_MS = 3_000;

/** A file that waits. */
export interface Picked {
  key: number;
  file: File;
  name: string;
  type: string;
  /** How much of it is gone, from 0 to 1; null before. */
  share: number | null;
  /** Once the server has it. */
  made: Attachment | null;
  ends: AbortController;
}

export class Tray {
  readonly list: Picked[] = [];
  /** On its way: neither words nor files change. */
  busy = false;
  failed = false;

  readonly #files: Files;
  readonly #place: string;

  constructor(files: Files, place: string) {
    this.#files = files;
    this.#place = place;
  }

  remove(picked: Picked): void {
    picked.ends.abort();
    this.list.splice(this.list.indexOf(picked), 1);
    if (!this.list.length) this.#files.drop(this);
    this.#files.view.alert = "";
    this.#files.view.changed();
  }

  /** Uploads, and then says the words with the files. */
  send(text: string): void {
    const { view } = this.#files;
    if (this.busy) return;
    if (view.trouble) return this.#files.warn(away(view));
    void this.#send(text).catch((error: unknown) => {
      this.busy = false;
      this.failed = true;
      this.#files.warn(this.#reason(error));
    });
  }

  async #send(text: string): Promise<void> {
    const { view } = this.#files;
    this.busy = true;
    this.failed = false;
    view.alert = "";
    view.changed();
    for (const picked of [...this.list]) await this.#upload(picked);
    this.busy = false;
    // Another customer sits here now, or all were taken away again.
    if (!this.#files.holds(this)) return;
    const made = this.list.flatMap(({ made }) => made ?? []);
    const where = this.#place ? { conversation_id: this.#place } : {};
    const frame = { type: "say" as const, client_id: clientId(), text, attachments: made.map(({ id }) => id), ...where };
    if (!view.sent(view.session.post(frame, text, made), { conversation_id: this.#place || undefined, text })) return;
    for (const { made, file } of this.list) if (made) this.#files.remember(made, file);
    this.#files.drop(this);
    if (view.drafts.get(this.#place)?.trim() === text) view.drafts.delete(this.#place);
    view.changed();
  }

  async #upload(picked: Picked): Promise<void> {
    const { view } = this.#files;
    const { words } = view;
    let toldAt = -TOLD_EVERY_MS;
    const told = (share: number): void => {
      picked.share = share;
      const now = performance.now();
      if (now - toldAt >= TOLD_EVERY_MS) {
        toldAt = now;
        view.announcer.say(words.t("uploading_file", { name: isolated(picked.name), percent: percent(view, share) }));
      }
      view.changed();
    };
    if (picked.made || !this.list.includes(picked)) return;
    told(0);
    try {
      picked.made = await upload(view, picked.file, picked.name, told, picked.ends.signal);
    } catch (error) {
      picked.share = null;
      // What was taken away meanwhile is missed by nobody.
      if (this.list.includes(picked)) throw error;
    }
  }

  #reason(error: unknown): Parameters<Files["warn"]>[0] {
    const status = error instanceof Refused ? error.status : 0;
    if (status === 401) return "needs_token";
    if (status === 404) return "files_off";
    return status === 429 ? "files_full" : status === 413 || status === 415 || status === 422 ? "files_refused" : "files_failed";
  }
}

/** A share, as people read it. */
export const percent = ({ words }: View, share: number): string => words.number(Math.floor(share * 100));

/** Why nothing can be sent now. */
export const away = ({ trouble }: View) => (trouble === "offline" ? "files_offline" : "files_off");
