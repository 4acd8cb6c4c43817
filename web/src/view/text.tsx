// Words of others: always text, with links only where `linkify` finds a safe address.

import { linkify } from "../linkify";

export const Text = ({ text, class: name }: { text: string; class?: string }) => (
  <div class={name ? `text ${name}` : "text"} dir="auto">
    {linkify(text).map((piece) =>
      piece.href === undefined ? (
        piece.text
      ) : (
        <a href={piece.href} target="_blank" rel="noopener noreferrer">
          {piece.text}
        </a>
      ),
    )}
  </div>
);
