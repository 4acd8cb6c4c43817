// Files to send: real ones, made here; and how they come.

import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import type { Scene } from "./browser";

/** What a server may say of files. */
export const LIMITS = { max_size: 5_242_880, max_count: 3, types: ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf"] };

function chunk(name: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  body.copy(whole, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}

/** A picture: a sky that grows lighter downwards, and a hill of one colour on its lower right. */
export function png(width: number, height: number, hill: [number, number, number] = [11, 107, 99]): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const lines = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const light = 150 + Math.round((90 * y) / height);
      lines.set(y > height - (x * height) / width ? hill : [light, light, 235], y * (1 + 3 * width) + 1 + 3 * x);
    }
  }
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", deflateSync(lines)), chunk("IEND", Buffer.alloc(0))]);
}

/** Begins as a PDF does, and has so many bytes. */
export const pdf = (size = 12_345): Buffer => Buffer.concat([Buffer.from("%PDF-1.7\n"), Buffer.alloc(size - 9, 32)]);

export const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>');

/** A file's bytes under these names on this machine, for a file dialog. */
export function written(files: Record<string, Buffer>): string[] {
  const folder = mkdtempSync(join(tmpdir(), "beckon-files-"));
  return Object.entries(files).map(([name, bytes]) => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  });
}

/** A file comes over the panel, or goes away again. */
export const drag = (on: Scene, type: string) =>
  on.page.evaluate((what) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File(["x"], "x.pdf"));
    document.querySelector("beckon-widget")?.shadowRoot?.querySelector(".log")?.dispatchEvent(new DragEvent(what, { dataTransfer, bubbles: true, cancelable: true, composed: true }));
  }, type);
