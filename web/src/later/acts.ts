// What a customer can do beside writing and choosing.

import type { Conversation } from "../conversation";
import { clientId } from "../protocol";
import type { Item } from "../outbox";
import type { News } from "../session";
import type { View } from "../view/model";
import { takeBack } from "./attaching";

export function confirm(view: View, { id }: Conversation, call: string, approve: boolean): void {
  view.sent(view.session.post({ type: "confirm", client_id: clientId(), conversation_id: id, call_id: call, approve }));
}

/** Says a refused message anew, under a new id: the refusal of the old one would only be repeated. */
export function again(view: View, item: Item): void {
  const { session } = view;
  const { frame, label, attachments, code } = item;
  if (code === "attachment_gone") return takeBack(view, item);
  const fresh = { ...frame, client_id: clientId() };
  if (code === "closed" && fresh.type === "say") delete fresh.conversation_id;
  session.outbox.remove(frame.client_id);
  view.sent(session.post(fresh, label, attachments));
}

export function end(view: View, { id }: Conversation): void {
  view.sent(view.session.post({ type: "close", client_id: clientId(), conversation_id: id }));
}

export function rate(view: View, { id }: Conversation, score: number, comment: string): void {
  const words = comment.trim() ? { comment: comment.trim() } : {};
  if (!view.sent(view.session.post({ type: "rate", client_id: clientId(), conversation_id: id, score, ...words }))) return;
  view.session.connection.tell({ rated: id } satisfies News);
  view.emit("csat", { conversation_id: id, score });
}
