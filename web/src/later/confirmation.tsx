// A write that waits for the customer's word: what would be done, with exactly which arguments, and two buttons.

import type { Conversation } from "../conversation";
import type { View } from "../view/model";
import type { Row } from "../view/rows";
import { confirm } from "./acts";

function pairs(args: unknown): [string, string][] {
  if (typeof args !== "object" || args === null) return args === undefined || args === null ? [] : [["", String(args)]];
  return Object.entries(args).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]);
}

export type Settlement = "asked" | "approved" | "declined" | "lapsed";

/** What became of a question that the customer was asked. */
export function settlement({ entries, phase }: Conversation, call: string): Settlement {
  for (const entry of entries) {
    if (entry.call_id !== call) continue;
    if (entry.kind === "confirmed") return entry.approve ? "approved" : "declined";
    if (entry.kind === "call") return "lapsed";
  }
  return phase === "closed" ? "lapsed" : "asked";
}

interface Props {
  view: View;
  conversation: Conversation;
  row: Extract<Row, { row: "confirm" }>;
}

export function Confirmation({ view, conversation, row }: Props) {
  const { words } = view;
  const call = row.entry.call_id ?? "";
  const title = `confirm-${row.entry.seq}`;
  const details = pairs(row.entry.args);
  const settled = settlement(conversation, call);
  const answering = view.session.outbox.list.some(({ frame }) => frame.type === "confirm" && frame.call_id === call);
  const open = settled === "asked" && !answering;
  return (
    <div class={`confirm ${settled}`} role="group" aria-labelledby={title}>
      {settled === "asked" && <p class="label">{words.t("confirm_title")}</p>}
      <p class="summary" id={title} dir="auto">
        {row.entry.summary}
      </p>
      {details.length > 0 && (
        <dl>
          {details.map(([name, value]) => (
            <div key={name}>
              <dt>{name.replace(/_/g, " ")}</dt>
              <dd>
                <bdi>{value}</bdi>
              </dd>
            </div>
          ))}
        </dl>
      )}
      {open ? (
        <div class="choices">
          <button type="button" class="btn first" onClick={() => confirm(view, conversation, call, true)}>
            {words.t("yes")}
          </button>
          <button type="button" class="btn" onClick={() => confirm(view, conversation, call, false)}>
            {words.t("no")}
          </button>
        </div>
      ) : (
        <p class="settled">{words.t(settled === "asked" ? "confirm_sending" : settled)}</p>
      )}
    </div>
  );
}
