// What a screen reader hears of entries that are no messages.

import type { Conversation } from "../conversation";
import type { Entry } from "../protocol";
import type { View } from "../view/model";
import { outcomeOf } from "./outcome";

/** "" for what is not read out. */
export function lineOf(view: View, conversation: Conversation, entry: Entry): string {
  const { words } = view;
  if (entry.kind === "confirm") return `${words.t("confirm_title")}: ${entry.summary ?? ""}`;
  if (entry.kind === "closed") return words.named(`closed_${outcomeOf(conversation)}`, "closed");
  return entry.kind === "holder" ? holderLine(view, entry) : "";
}

/** Who has the conversation from here on. */
export function holderLine({ words }: View, { holder, name }: Entry): string {
  if (holder === "operator") return name ? words.t("joined", { name }) : words.t("joined_unnamed");
  return words.t(holder === "queue" ? "queued" : "handed_back");
}
