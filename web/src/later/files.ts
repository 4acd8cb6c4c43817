// Files that the customer picked, until they are a message, and what is shown of those that are.

import type { Attachment, Limits } from "../protocol";
import type { View } from "../view/model";
import { HEAD, isolated, kindOf, labelOf, nameOf, sizeOf } from "./kinds";
import { Picture } from "./picture";
import { fetched } from "./transfer";
import { away, Tray } from "./tray";

/** Of files that were sent, so that they need not be fetched to be shown. */
const REMEMBERED = 20;

export class Files {
  readonly view: View;
  /** Something is dragged over the panel. */
  over = false;
  readonly #trays = new Map<string, Tray>();
  readonly #own = new Map<string, File>();
  readonly #pictures = new Map<string, Picture>();
  #panel: Element | null = null;
  #picked = 0;
  /** Grows with each customer who is forgotten. */
  #times = 0;

  constructor(view: View) {
    this.view = view;
  }

  /** What waits beside the words of a conversation ("" for a new one). */
  at(place: string): Tray | undefined {
    return this.#trays.get(place);
  }

  holds(tray: Tray): boolean {
    return [...this.#trays.values()].includes(tray);
  }

  drop(tray: Tray): void {
    for (const [place, other] of this.#trays) if (other === tray) this.#trays.delete(place);
  }

  remember({ id }: Attachment, file: File): void {
    this.#own.set(id, file);
    const oldest = this.#own.keys().next();
    if (this.#own.size > REMEMBERED && !oldest.done) this.#own.delete(oldest.value);
  }

  clear(): void {
    this.#times++;
    for (const { list } of this.#trays.values()) for (const { ends } of list) ends.abort();
    for (const all of [this.#trays, this.#own, this.#pictures]) all.clear();
  }

  warn(key: Parameters<View["words"]["t"]>[0]): void {
    this.view.alert = this.view.words.t(key);
    this.view.changed();
  }

  /** Puts files beside the words; says in sentences which cannot be sent, and why. */
  async add(place: string, picked: Iterable<File>): Promise<void> {
    const { view } = this;
    const { limits } = view.session;
    if (!limits || this.at(place)?.busy) return;
    const mine = this.#times;
    const problems = view.trouble ? [view.words.t(away(view))] : [];
    for (const file of picked) {
      const name = nameOf(file.name);
      const type = await file.slice(0, HEAD).arrayBuffer().then((bytes) => kindOf(new Uint8Array(bytes)), () => null);
      if (mine !== this.#times) return;
      const tray = this.at(place) ?? new Tray(this, place);
      const problem = this.#problem(limits, file, name, type, tray.list.length);
      if (problem) problems.push(problem);
      else {
        this.#trays.set(place, tray);
        tray.list.push({ key: ++this.#picked, file, name, type: type ?? "", share: null, made: null, ends: new AbortController() });
        view.announcer.say(view.words.t("attached", { name: isolated(name) }));
      }
    }
    view.alert = [...new Set(problems)].join(" ");
    view.changed();
  }

  #problem(limits: Limits, { size }: File, file: string, type: string | null, count: number): string {
    const { words } = this.view;
    const name = isolated(file);
    if (type === null) return words.t("file_unread", { name });
    if (!limits.types.includes(type)) return words.t("file_type", { name, types: limits.types.map(labelOf).join(", ") });
    if (size > limits.max_size) return words.t("file_large", { name, size: sizeOf(limits.max_size, words.tag) });
    return count < limits.max_count ? "" : words.t("file_count", { count: words.number(limits.max_count) });
  }

  /** Of a message that was refused, back to where they can be sent anew, as far as this page has them. */
  takeBack(place: string, attachments: Attachment[]): void {
    void this.add(place, attachments.flatMap(({ id }) => this.#own.get(id) ?? []));
  }

  picture(attachment: Attachment): Picture {
    const { view } = this;
    const known = this.#pictures.get(attachment.id);
    if (known) return known;
    const bytes = () => this.#bytes(attachment);
    const picture = new Picture(attachment, bytes, () => view.changed());
    this.#pictures.set(attachment.id, picture);
    return picture;
  }

  /** Hands a file over to the browser's downloads. */
  save(attachment: Attachment): void {
    const { view } = this;
    const name = isolated(attachment.name);
    view.announcer.say(view.words.t("fetching", { name }));
    this.#bytes(attachment).then(
      (bytes) => {
        // Under a type that no browser opens in the page's own name.
        const href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
        Object.assign(document.createElement("a"), { href, download: attachment.name }).click();
        setTimeout(() => URL.revokeObjectURL(href), 60_000);
      },
      () => {
        view.alert = view.words.t("file_unfetched", { name });
        view.changed();
      },
    );
  }

  async #bytes(attachment: Attachment): Promise<Blob> {
    return this.#own.get(attachment.id) ?? fetched(this.view, attachment);
  }

  /** Files come by paste and drop too, anywhere on the panel: given the button in it, or null where that goes. */
  readonly listen = (button: HTMLElement | null): void => {
    const panel = button?.closest(".panel") ?? null;
    for (const [type, heard] of Object.entries(this.#heard)) {
      this.#panel?.removeEventListener(type, heard as EventListener);
      panel?.addEventListener(type, heard as EventListener);
    }
    this.#panel = panel;
  };

  #take(files: FileList): void {
    void this.add(this.view.current?.id ?? "", [...files]);
  }

  #hover(over: boolean): void {
    if (this.over === over) return;
    this.over = over;
    this.view.changed();
  }

  readonly #heard = {
    paste: (event: ClipboardEvent): void => {
      const data = event.clipboardData;
      // What is copied from a document comes as words and as a picture of them: the words are meant.
      if (!data?.files.length || data.types.includes("text/plain")) return;
      event.preventDefault();
      this.#take(data.files);
    },
    dragover: (event: DragEvent): void => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      event.stopPropagation();
      event.dataTransfer.dropEffect = "copy";
      this.#hover(true);
    },
    dragleave: (event: DragEvent): void => {
      if (!this.#panel?.contains(event.relatedTarget as Node | null)) this.#hover(false);
    },
    drop: (event: DragEvent): void => {
      this.#hover(false);
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      event.stopPropagation();
      this.#take(event.dataTransfer.files);
    },
  };
}
