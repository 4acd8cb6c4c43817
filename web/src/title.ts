// The number of unread messages before the page's title, for who is in another tab.

const PREFIX = /^\(\d+\+?\) /;
const MOST = 99;

let marked = false;

/** A title that the page sets meanwhile is the page's: only our own number is taken away again. */
export function showUnread(count: number): void {
  if (!count && !marked) return;
  const title = marked ? document.title.replace(PREFIX, "") : document.title;
  marked = count > 0;
  document.title = marked ? `(${count > MOST ? `${MOST}+` : count}) ${title}` : title;
}
