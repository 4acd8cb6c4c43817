// A message that was refused for good: it is the customer's to send again or to let go.

import type { Item } from "../outbox";
import type { View } from "../view/model";
import { again } from "./acts";

export function Failed({ view, item }: { view: View; item: Item }) {
  const { words, session } = view;
  const id = item.frame.client_id;
  return (
    <p class="meta bad">
      {words.t("not_sent")}
      <button type="button" class="link" onClick={() => again(view, item)}>
        {words.t("retry")}
      </button>
      <button type="button" class="link" onClick={() => (session.outbox.remove(id), view.changed())}>
        {words.t("delete")}
      </button>
    </p>
  );
}
