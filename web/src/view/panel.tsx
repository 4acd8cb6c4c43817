// The chat itself: who speaks, the log, and where to write. A dialog that holds nobody captive.

import type { Ref } from "preact";
import type { Conversation } from "../conversation";
import { Composer } from "./composer";
import { Close, Glyph } from "./icons";
import { Log } from "./log";
import type { View } from "./model";

function Title({ view, conversation }: { view: View; conversation: Conversation | undefined }) {
  const { words } = view;
  const kind = !conversation ? "empty" : conversation.phase === "closed" ? "ended" : conversation.holder;
  const name = conversation?.name ?? "";
  const who = kind === "operator" ? (name ? words.t("operator", { name }) : words.t("a_person")) : words.t(kind);
  const { company } = view.options;
  return (
    <>
      <span class={`seat ${kind}`}>
        <Glyph by={kind} />
      </span>
      <div class="title">
        <h2 id="panel-title">{company || who}</h2>
        <p>{view.list ? words.counted("conversations", view.conversations.length) : company ? who : words.t(`${kind}_sub`)}</p>
      </div>
    </>
  );
}

function Strip({ view }: { view: View }) {
  const { trouble, words } = view;
  if (!trouble) return null;
  return (
    <div class={`strip ${trouble}`}>
      <span>{words.t(trouble)}</span>
      {trouble === "offline" && (
        <button type="button" class="link" onClick={() => view.session.connection.nudge()}>
          {words.t("reconnect")}
        </button>
      )}
    </div>
  );
}

export function Panel({ view, field }: { view: View; field: Ref<HTMLTextAreaElement> }) {
  const { current, later, words } = view;
  const menu = view.unfolded.has("menu");
  return (
    <section
      class="panel"
      part="panel"
      id="panel"
      role="dialog"
      aria-modal={false}
      aria-labelledby="panel-title"
    >
      <header>
        <Title view={view} conversation={current} />
        {later && <later.MenuButton view={view} />}
        <button type="button" class="icon" aria-label={words.t("close")} onClick={() => view.close()}>
          <Close />
        </button>
      </header>
      {menu && later && <later.Menu view={view} conversation={current} />}
      {view.list && later ? <later.List view={view} /> : <Log key={current?.id ?? "new"} view={view} conversation={current} />}
      <div class="foot">
        <p class="alert" role="alert">
          {view.alert}
        </p>
        <Strip view={view} />
        {view.list ? null : current?.phase === "closed" ? later && <later.Ended view={view} conversation={current} /> : <Composer view={view} field={field} />}
      </div>
    </section>
  );
}
