// A dot on the page's icon while something is unread. Only where the page asks for it: its policy must allow `data:` images.

const SIZE = 32;
const RADIUS = 8;

let own: HTMLLinkElement | null = null;
let before: string | null = null;

/** Puts the dot on the icon, or takes it off again. */
export async function mark(on: boolean, colour: string): Promise<void> {
  const icon = document.querySelector<HTMLLinkElement>('link[rel~="icon"]');
  if (!on) {
    if (before !== null && icon) icon.href = before;
    own?.remove();
    own = before = null;
    return;
  }
  if (before !== null || own) return;
  const canvas = Object.assign(document.createElement("canvas"), { width: SIZE, height: SIZE });
  const context = canvas.getContext("2d");
  if (!context) return;
  if (icon) {
    before = icon.href;
    const image = Object.assign(new Image(), { crossOrigin: "anonymous", src: icon.href });
    await image.decode().then(() => context.drawImage(image, 0, 0, SIZE, SIZE), () => undefined);
  }
  context.fillStyle = colour;
  context.beginPath();
  context.arc(SIZE - RADIUS, RADIUS, RADIUS, 0, 2 * Math.PI);
  context.fill();
  try {
    const marked = canvas.toDataURL();
    if (icon) icon.href = marked;
    else document.head.append((own = Object.assign(document.createElement("link"), { rel: "icon", href: marked })));
  } catch {
    // An icon of another origin that may not be read: it stays as it is.
    before = null;
  }
}
