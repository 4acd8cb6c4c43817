// The way out of a long answer: offered once the assistant has been at it for a while.

import type { Conversation } from "../conversation";
import { clientId } from "../protocol";
import type { View } from "../view/model";
import { writing } from "../view/rows";

const PATIENCE_MS = 4_000;

/** Since when the assistant is at it, by conversation. */
const since = new Map<string, number>();

/** Whether an answer of the assistant is on its way: looked up, thought of, or coming word by word. */
function isBusy(conversation: Conversation): boolean {
  if (conversation.holder !== "assistant" || conversation.phase === "closed") return false;
  return writing(conversation, Date.now()) || conversation.streams.list().some((stream) => !stream.cut);
}

export function Stop({ view, conversation }: { view: View; conversation: Conversation }) {
  const { id } = conversation;
  if (!isBusy(conversation)) {
    since.delete(id);
    return null;
  }
  const began = since.get(id);
  if (began === undefined) {
    since.set(id, Date.now());
    setTimeout(() => view.changed(), PATIENCE_MS);
    return null;
  }
  if (Date.now() - began < PATIENCE_MS) return null;
  const asked = view.session.outbox.list.some(({ frame }) => frame.type === "stop" && frame.conversation_id === id);
  return (
    <p class="stop">
      <button
        type="button"
        class="btn"
        aria-disabled={asked}
        onClick={() => asked || view.sent(view.session.post({ type: "stop", client_id: clientId(), conversation_id: id }))}
      >
        {view.words.t(asked ? "stopping" : "stop")}
      </button>
    </p>
  );
}
