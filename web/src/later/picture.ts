// A picture of a message, small, on a canvas: pages need not allow images from elsewhere for that.

import type { Attachment } from "../protocol";

/** At most so wide and high, in pixels of a dense screen; the style sheet shows it at half of that. */
const EDGE = 440;

export class Picture {
  readonly width: number;
  readonly height: number;
  /** It could not be fetched or read. */
  failed = false;
  readonly #bytes: () => Promise<Blob>;
  readonly #changed: () => void;

  constructor({ width = 1, height = 1 }: Attachment, bytes: () => Promise<Blob>, changed: () => void) {
    const scale = Math.min(1, EDGE / width, EDGE / height);
    // Its place is kept before it is there, so that nothing moves when it comes.
    this.width = Math.max(1, Math.round(width * scale));
    this.height = Math.max(1, Math.round(height * scale));
    this.#bytes = bytes;
    this.#changed = changed;
  }

  /** Where it is to be drawn, as soon as that is in view. */
  readonly place = (canvas: HTMLCanvasElement | null): void => {
    if (!canvas) return;
    const watch = new IntersectionObserver((seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      watch.disconnect();
      void this.#draw(canvas);
    });
    watch.observe(canvas);
  };

  async #draw(canvas: HTMLCanvasElement): Promise<void> {
    try {
      const bitmap = await createImageBitmap(await this.#bytes());
      // A camera's picture may lie on its side in the file.
      const scale = Math.min(canvas.width / bitmap.width, canvas.height / bitmap.height);
      const [width, height] = [bitmap.width * scale, bitmap.height * scale];
      const context = canvas.getContext("2d");
      if (context) context.imageSmoothingQuality = "high";
      context?.drawImage(bitmap, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
      bitmap.close();
    } catch {
      this.failed = true;
      this.#changed();
    }
  }
}
