// The opening of a proactive conversation, beside the launcher. It never takes the focus and never opens the panel.

import type { Conversation } from "../conversation";
import { Choices } from "./choices";
import { Close, Glyph } from "./icons";
import type { View } from "./model";
import { Text, Words } from "./text";

export function Bubble({ view, conversation }: { view: View; conversation: Conversation }) {
  const { words } = view;
  const { latest, offer } = conversation;
  if (!latest) return null;
  const speaker = view.speakerOf(conversation, latest);
  const name = view.nameOf(speaker);
  return (
    <section class="bubble" part="bubble" aria-label={words.t("message_from", { who: name })}>
      <header>
        <span class={`who ${speaker.by}`}>
          <Glyph by={speaker.by} /> {view.options.company ? `${view.options.company} · ${name}` : name}
        </span>
        <button type="button" class="icon" aria-label={words.t("dismiss")} onClick={() => view.dismiss(conversation)}>
          <Close />
        </button>
      </header>
      {latest.html ? <Words key={latest.id} view={view} entry={latest} /> : <Text text={latest.text ?? ""} lang={latest.locale} />}
      {offer ? (
        <Choices view={view} conversation={conversation} offer={offer} />
      ) : (
        <div class="choices">
          <button type="button" class="btn first" onClick={() => view.show(conversation.id)}>
            {words.t("show_me")}
          </button>
          <button type="button" class="btn" onClick={() => view.dismiss(conversation)}>
            {words.t("not_now")}
          </button>
        </div>
      )}
      <footer>
        {view.later && <view.later.Why view={view} conversation={conversation} place="bubble" />}
        {offer && (
          <button type="button" class="link reply" onClick={() => view.show(conversation.id)}>
            {words.t("reply")}
          </button>
        )}
      </footer>
    </section>
  );
}
