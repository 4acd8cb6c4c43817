// What is under way in a log: words while they are made, and that somebody writes or looks something up.

import type { View } from "../view/model";
import type { Row } from "../view/rows";
import { callName } from "./others";
import { Who } from "../view/who";

type UnderWay = Extract<Row, { row: "stream" | "typing" }>;

function Stream({ view, row }: { view: View; row: Extract<Row, { row: "stream" }> }) {
  const { words } = view;
  return (
    <>
      <div class={row.cut ? "text cut" : "text streaming"} dir="auto">
        {row.text}
      </div>
      {row.cut && (
        <p class="meta">
          {words.t("interrupted")}{" "}
          <button type="button" class="link" onClick={() => view.session.connection.nudge()}>
            {words.t("reconnect")}
          </button>
        </p>
      )}
    </>
  );
}

function Dots({ view, row }: { view: View; row: Extract<Row, { row: "typing" }> }) {
  const { words } = view;
  return (
    <p class="dots">
      {row.call ? <span class="lookup">{words.t("working", { name: callName(row.call) })}</span> : <span class="hush">{words.t("typing", { who: view.nameOf(row.speaker) })}</span>}
      <i />
      <i />
      <i />
    </p>
  );
}

export const Under = ({ view, row }: { view: View; row: UnderWay }) => (
  <li class={`theirs ${row.speaker.by}`}>
    {row.first && <Who view={view} speaker={row.speaker} />}
    {row.row === "stream" ? <Stream view={view} row={row} /> : <Dots view={view} row={row} />}
  </li>
);
