// "Did this help?" below what the assistant answered: one touch, shown as given, and it may be changed.

import type { Conversation } from "../conversation";
import { clientId, type Entry } from "../protocol";
import type { View } from "../view/model";
import { Down, Up } from "./icons";

interface Props {
  view: View;
  conversation: Conversation;
  entry: Entry;
}

/** Only answers are asked about, not openings and notices; and of a turn its last words. */
function isAnswer(conversation: Conversation, entry: Entry): boolean {
  if (entry.by !== "assistant" || entry.turn_id === undefined) return false;
  return !conversation.entries.some((e) => e.kind === "message" && e.turn_id === entry.turn_id && e.seq > entry.seq);
}

export function Helped({ view, conversation, entry }: Props) {
  const { ratings, words } = view;
  if (!ratings || !isAnswer(conversation, entry)) return null;
  const given = ratings.helped(conversation, entry.seq);
  // The latest answer is asked about; of earlier ones it is only shown what was said.
  const latest = conversation.entries.findLast((e) => isAnswer(conversation, e));
  if (given === undefined && latest !== entry) return null;
  const say = (helped: boolean) => {
    const frame = { type: "helped", client_id: clientId(), conversation_id: conversation.id, seq: entry.seq, helped } as const;
    if (helped !== given && view.sent(view.session.post(frame))) ratings.gave(conversation, entry.seq, helped);
  };
  const button = (helped: boolean) => (
    <button type="button" class="thumb" aria-pressed={given === helped} aria-label={words.t(helped ? "helped_yes" : "helped_no")} onClick={() => say(helped)}>
      {helped ? <Up /> : <Down />}
    </button>
  );
  return (
    <div class="helped" role="group" aria-label={words.t("helped")}>
      <span aria-hidden="true">{words.t("helped")}</span>
      {button(true)}
      {button(false)}
    </div>
  );
}
