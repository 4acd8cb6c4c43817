// The opening of a proactive conversation, beside the launcher. It never takes the focus and never opens the panel.

import type { Conversation } from "../conversation";
import { Close, Glyph } from "./icons";
import type { View } from "./model";
import { Text } from "./text";

export function Bubble({ view, conversation }: { view: View; conversation: Conversation }) {
  const why = `why:${conversation.id}`;
  const { words } = view;
  const { latest, offer } = conversation;
  if (!latest) return null;
  const speaker = view.speakerOf(conversation, latest);
  const name = view.nameOf(speaker);
  return (
    <section class="bubble" aria-label={words.t("message_from", { who: name })}>
      <header>
        <span class={`who ${speaker.by}`}>
          <Glyph by={speaker.by} /> {name}
        </span>
        <button type="button" class="icon" aria-label={words.t("dismiss")} onClick={() => view.dismiss(conversation)}>
          <Close />
        </button>
      </header>
      <Text text={latest.text ?? ""} />
      {offer && (
        <div class="choices" role="group" aria-label={words.t("choices")}>
          {offer.choices.map((choice, i) => (
            <button key={i} type="button" class={i ? "btn" : "btn first"} dir="auto" onClick={() => view.choose(conversation, choice)}>
              {choice.label}
            </button>
          ))}
        </div>
      )}
      <footer>
        {conversation.why && (
          <button type="button" class="link" aria-expanded={view.unfolded.has(why)} aria-controls="bubble-why" onClick={() => view.fold(why)}>
            {words.t("why")}
          </button>
        )}
        <button type="button" class="link reply" onClick={() => view.show(conversation.id)}>
          {words.t("reply")}
        </button>
      </footer>
      <p id="bubble-why" class="reason" dir="auto" hidden={!view.unfolded.has(why)}>
        {conversation.why}
      </p>
    </section>
  );
}
