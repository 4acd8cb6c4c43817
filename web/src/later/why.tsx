// "Why am I seeing this?": the playbook's own words, on asking.

import type { Conversation } from "../conversation";
import type { View } from "../view/model";

export function Why({ view, conversation, place }: { view: View; conversation: Conversation; place: string }) {
  if (!conversation.why) return null;
  const key = `why:${conversation.id}`;
  const open = view.unfolded.has(key);
  return (
    <div class="why">
      <button type="button" class="link" aria-expanded={open} aria-controls={`${place}-why`} onClick={() => view.fold(key)}>
        {view.words.t("why")}
      </button>
      <p id={`${place}-why`} class="reason" dir="auto" hidden={!open}>
        {conversation.why}
      </p>
    </div>
  );
}
