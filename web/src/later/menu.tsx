// What else can be done with a conversation: see the others, or end it for good after asking once more.

import type { Conversation } from "../conversation";
import type { View } from "../view/model";
import { end } from "./acts";
import { More } from "./icons";

/** Unfolds the menu, where there is anything in it. */
export function MenuButton({ view }: { view: View }) {
  const { current, conversations, words } = view;
  if (conversations.length < 2 && (!current || current.phase === "closed")) return null;
  return (
    <button type="button" class="icon" aria-label={words.t("menu")} aria-expanded={view.unfolded.has("menu")} aria-controls="panel-menu" onClick={() => view.fold("menu")}>
      <More />
    </button>
  );
}

export function Menu({ view, conversation }: { view: View; conversation: Conversation | undefined }) {
  const { words } = view;
  const count = view.conversations.length;
  const sure = view.unfolded.has("sure");
  return (
    <div class="menu" id="panel-menu">
      {count > 1 && (
        <button
          type="button"
          onClick={() => {
            view.list = true;
            view.alert = "";
            view.fold("menu", false);
          }}
        >
          {words.counted("conversations", count)}
        </button>
      )}
      {conversation && conversation.phase !== "closed" && (
        <button type="button" aria-expanded={sure} onClick={() => view.fold("sure")}>
          {words.t("end")}
        </button>
      )}
      {sure && conversation && (
        <div class="sure" role="group" aria-label={words.t("end_sure")}>
          <p>{words.t("end_sure")}</p>
          <div class="choices">
            <button
              type="button"
              class="btn first"
              onClick={() => {
                end(view, conversation);
                view.fold("menu", false);
              }}
            >
              {words.t("end_yes")}
            </button>
            <button type="button" class="btn" onClick={() => view.fold("menu", false)}>
              {words.t("end_no")}
            </button>
          </div>
        </div>
      )}
    </div>
  );
}
