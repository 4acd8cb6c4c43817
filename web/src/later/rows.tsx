// Lines of a log that no conversation begins with: what is under way, what was called, who came, what is asked, and the end.

import type { Conversation } from "../conversation";
import { Glyph } from "../view/icons";
import type { View } from "../view/model";
import type { Row } from "../view/rows";
import { Confirmation } from "./confirmation";
import { Done, Failed, Unclear } from "./icons";
import { holderLine } from "./lines";
import { Under } from "./under";

interface Props {
  view: View;
  conversation: Conversation;
  row: Row;
}

export function Other({ view, conversation, row }: Props) {
  const { words } = view;
  if (row.row === "stream" || row.row === "typing") return <Under view={view} row={row} />;
  if (row.row === "confirm") {
    return (
      <li class="wide">
        <Confirmation view={view} conversation={conversation} row={row} />
      </li>
    );
  }
  if (row.row === "call") {
    const Sign = row.state === "done" ? Done : row.state === "unknown" ? Unclear : Failed;
    return (
      <li class={`call ${row.state}`}>
        <Sign /> <span>{words.named(`call_${row.state}`, "call_unknown", { name: row.name })}</span>
      </li>
    );
  }
  if (row.row === "holder") {
    return (
      <li class={`rule ${row.entry.holder}`}>
        <span>
          <Glyph by={row.entry.holder ?? ""} /> {holderLine(view, row.entry)}
        </span>
      </li>
    );
  }
  return <li class="rule end">{row.row === "closed" && <span>{words.named(`closed_${row.outcome}`, "closed")}</span>}</li>;
}
