// A dot on the page's icon while something is unread. Only where the page asks for it: its policy must allow `data:` images.

const SIZE = 32;
const RADIUS = 8;
const OURS = "#c84b13";

let own: HTMLLinkElement | null = null;
let before: string | null = null;
/** What was asked for last: an icon takes a while to be read, and may be unwanted by then. */
let wanted = false;

const iconOf = () => document.querySelector<HTMLLinkElement>('link[rel~="icon"]');

/** The icon as it is, with a dot in its corner; null where it may not be read. */
async function dotted(icon: HTMLLinkElement | null, colour: string): Promise<string | null> {
  const canvas = Object.assign(document.createElement("canvas"), { width: SIZE, height: SIZE });
  const context = canvas.getContext("2d");
  if (!context) return null;
  if (icon) {
    const image = Object.assign(new Image(), { crossOrigin: "anonymous", src: icon.href });
    await image.decode().then(() => context.drawImage(image, 0, 0, SIZE, SIZE), () => undefined);
  }
  context.fillStyle = colour;
  context.beginPath();
  context.arc(SIZE - RADIUS, RADIUS, RADIUS, 0, 2 * Math.PI);
  context.fill();
  try {
    return canvas.toDataURL();
  } catch {
    return null;
  }
}

/** Puts the dot on the icon, or takes it off again. Without a colour of the company it has ours. */
export async function mark(on: boolean, colour: string): Promise<void> {
  if (on === wanted) return;
  wanted = on;
  const icon = iconOf();
  if (!on) {
    if (before !== null && icon) icon.href = before;
    own?.remove();
    own = before = null;
    return;
  }
  const marked = await dotted(icon, colour || OURS);
  if (!wanted || marked === null || before !== null || own) return;
  if (icon) {
    before = icon.href;
    icon.href = marked;
  } else document.head.append((own = Object.assign(document.createElement("link"), { rel: "icon", href: marked })));
}
