// All conversations of this customer, the latest first.

import { plain } from "../plain";
import type { View } from "../view/model";

export function List({ view }: { view: View }) {
  const { words } = view;
  return (
    <nav class="list" aria-label={words.counted("conversations", view.conversations.length)}>
      <ul>
        {view.conversations.map((conversation) => {
          const unread = view.session.unread(conversation);
          const state = conversation.phase === "closed" ? words.t("ended") : words.time(conversation.at);
          return (
            <li key={conversation.id}>
              <button type="button" onClick={() => view.select(conversation.id)}>
                <span class="line" dir="auto">
                  {conversation.latest ? plain(conversation.latest) : ""}
                </span>
                <span class="meta">{[state, unread ? words.counted("unread", unread) : ""].filter(Boolean).join(" · ")}</span>
              </button>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
