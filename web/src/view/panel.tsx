// The chat itself: who speaks, the log, and where to write. A dialog that holds nobody captive.

import type { Ref } from "preact";
import type { Conversation } from "../conversation";
import { Composer } from "./composer";
import { Close, Glyph, More } from "./icons";
import { Log } from "./log";
import type { View } from "./model";

function Title({ view, conversation }: { view: View; conversation: Conversation | undefined }) {
  const { words } = view;
  const kind = !conversation ? "empty" : conversation.phase === "closed" ? "ended" : conversation.holder;
  const name = conversation?.name ?? "";
  const title = kind === "operator" ? (name ? words.t("operator", { name }) : words.t("a_person")) : words.t(kind);
  return (
    <>
      <span class={`seat ${kind}`}>
        <Glyph by={kind} />
      </span>
      <div class="title">
        <h2 id="panel-title">{title}</h2>
        <p>{words.t(`${kind}_sub`)}</p>
      </div>
    </>
  );
}

function Menu({ view, conversation }: { view: View; conversation: Conversation | undefined }) {
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
          {words.t("conversations", { count })}
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
                view.end(conversation);
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

function List({ view }: { view: View }) {
  const { words } = view;
  return (
    <nav class="list" aria-label={words.t("conversations", { count: view.conversations.length })}>
      <ul>
        {view.conversations.map((conversation) => {
          const unread = view.session.unread(conversation);
          return (
            <li key={conversation.id}>
              <button type="button" onClick={() => view.select(conversation.id)}>
                <span class="line" dir="auto">
                  {conversation.latest?.text ?? ""}
                </span>
                <span class="meta">
                  {[conversation.phase === "closed" ? words.t("ended") : words.time(conversation.at), unread ? words.unread(unread) : ""]
                    .filter(Boolean)
                    .join(" · ")}
                </span>
              </button>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}

function Ended({ view, conversation }: { view: View; conversation: Conversation }) {
  const { words } = view;
  const asks = ["goal", "resolved", "closed_by_operator"].includes(conversation.outcome);
  const rated = view.rated.has(conversation.id);
  return (
    <div class="after">
      {asks && !rated && (
        <div role="group" aria-labelledby="rate-title">
          <p id="rate-title">{words.t("rate")}</p>
          <div class="scores">
            {([1, 2, 3, 4, 5] as const).map((score) => (
              <button key={score} type="button" class="btn" aria-label={`${score}, ${words.t(`rate_${score}`)}`} onClick={() => view.rate(conversation, score)}>
                {score}
              </button>
            ))}
          </div>
          <p class="ends" aria-hidden="true">
            <span>{words.t("rate_1")}</span>
            <span>{words.t("rate_5")}</span>
          </p>
        </div>
      )}
      {asks && rated && <p>{words.t("rated")}</p>}
      {view.mayBegin && (
        <button type="button" class="btn" onClick={() => view.select(null)}>
          {words.t("new")}
        </button>
      )}
    </div>
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
  const { current, words } = view;
  const menu = view.unfolded.has("menu");
  const useful = view.conversations.length > 1 || (current !== undefined && current.phase !== "closed");
  return (
    <section
      class="panel"
      id="panel"
      role="dialog"
      aria-modal={false}
      aria-labelledby="panel-title"
    >
      <header>
        <Title view={view} conversation={current} />
        {useful && (
          <button type="button" class="icon" aria-label={words.t("menu")} aria-expanded={menu} aria-controls="panel-menu" onClick={() => view.fold("menu")}>
            <More />
          </button>
        )}
        <button type="button" class="icon" aria-label={words.t("close")} onClick={() => view.close()}>
          <Close />
        </button>
      </header>
      {menu && <Menu view={view} conversation={current} />}
      {view.list ? <List view={view} /> : <Log key={current?.id ?? "new"} view={view} conversation={current} />}
      <div class="foot">
        <p class="alert" role="alert">
          {view.alert}
        </p>
        <Strip view={view} />
        {view.list ? null : current?.phase === "closed" ? <Ended view={view} conversation={current} /> : <Composer view={view} field={field} />}
      </div>
    </section>
  );
}
