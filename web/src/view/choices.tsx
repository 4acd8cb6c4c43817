// What may be chosen, as buttons.

import type { Conversation, Offer } from "../conversation";
import type { View } from "./model";

export const Choices = ({ view, conversation, offer }: { view: View; conversation: Conversation; offer: Offer }) => (
  <div class="choices" role="group" aria-label={view.words.t("choices")}>
    {offer.choices.map((choice, i) => (
      <button key={i} type="button" class={i ? "btn" : "btn first"} dir="auto" lang={offer.locale} onClick={() => view.choose(conversation, choice)}>
        {choice.label}
      </button>
    ))}
  </div>
);
