// The log of a conversation: one hairline down the side, on which everyone who speaks has a sign.

import { Component, createRef } from "preact";
import type { Conversation, Offer } from "../conversation";
import type { Attachment } from "../protocol";
import { Choices } from "./choices";
import type { View } from "./model";
import { localsOf, rowsOf, type Row } from "./rows";
import { Text, Words } from "./text";
import { Who } from "./who";

/** Nearer to the end than this is being at the end: the log follows what comes. */
const NEAR_PX = 60;

/** The customer's own words, and files. */
const Mine = ({ view, text, lang, files }: { view: View; text: string; lang?: string | undefined; files: Attachment[] | undefined }) => (
  <>
    <span class="hush">{view.words.t("you")}: </span>
    {(text || !files) && <Text text={text} lang={lang} class="slip" />}
    {files && view.later && <view.later.Attached view={view} files={files} />}
  </>
);

function Local({ view, row }: { view: View; row: Extract<Row, { row: "local" }> }) {
  const { words } = view;
  const { item } = row;
  const state = item.state === "taken" ? "sent" : view.trouble ? "kept" : "sending";
  return (
    <li class={`mine ${item.state}`}>
      <Mine view={view} text={item.label} files={item.attachments} />
      {item.state === "failed" ? view.later && <view.later.Failed view={view} item={item} /> : <p class="meta">{words.t(state)}</p>}
    </li>
  );
}

function Line({ view, conversation, row, offer }: { view: View; conversation: Conversation | undefined; row: Row; offer: Offer | null }) {
  const { words } = view;
  if (row.row === "local") return <Local view={view} row={row} />;
  if (row.row === "message") {
    const { entry, speaker } = row;
    const time = row.last && words.time(entry.at);
    const mine = entry.by === "customer";
    const text = entry.text ?? "";
    return (
      <li class={mine ? "mine" : `theirs ${entry.by}`}>
        {!mine && row.first && <Who view={view} speaker={speaker} />}
        {mine ? (
          <Mine view={view} text={text} lang={entry.locale} files={entry.attachments} />
        ) : entry.html ? (
          <Words key={entry.id} view={view} entry={entry} />
        ) : (
          <Text text={text} lang={entry.locale} />
        )}
        {conversation && offer?.seq === entry.seq && <Choices view={view} conversation={conversation} offer={offer} />}
        {time && (
          <p class="meta">
            {mine && `${words.t("sent")} · `}
            <time dir="auto" dateTime={new Date(entry.at).toISOString()}>{time}</time>
          </p>
        )}
        {conversation && view.later && <view.later.Helped view={view} conversation={conversation} entry={entry} />}
      </li>
    );
  }
  // A line that cannot be drawn yet keeps its place.
  return conversation && view.later ? <view.later.Other view={view} conversation={conversation} row={row} /> : <li hidden />;
}

interface LogProps {
  view: View;
  conversation: Conversation | undefined;
}

/** The scrolling part. It stays at its end unless the customer has scrolled away from there. */
export class Log extends Component<LogProps, { away: boolean }> {
  override state = { away: false };
  #scroller = createRef<HTMLDivElement>();
  #locals = 0;

  override componentDidMount(): void {
    this.#toEnd();
  }

  override componentDidUpdate(): void {
    const locals = this.#localCount();
    // The customer's own words are always followed.
    if (!this.state.away || locals > this.#locals) this.#toEnd();
    this.#locals = locals;
  }

  #localCount(): number {
    return localsOf(this.props.conversation, this.props.view.session.outbox.list).length;
  }

  #toEnd(): void {
    const log = this.#scroller.current;
    if (log) log.scrollTop = log.scrollHeight;
  }

  #scrolled = (): void => {
    const log = this.#scroller.current;
    const away = log !== null && log.scrollHeight - log.scrollTop - log.clientHeight > NEAR_PX;
    if (away !== this.state.away) this.setState({ away });
  };

  override render() {
    const { view, conversation } = this.props;
    const { words } = view;
    const items = view.session.outbox.list;
    const rows = rowsOf(conversation, items, Date.now(), conversation && view.later?.othersOf(conversation));
    const chosen = localsOf(conversation, items).some(({ frame, state }) => frame.type === "choose" && state !== "failed");
    const offer = chosen ? null : (conversation?.offer ?? null);
    return (
      <div class="logbox">
        <div class="log" role="log" aria-live="off" aria-label={words.t("messages")} tabIndex={0} ref={this.#scroller} onScroll={this.#scrolled}>
          {conversation && view.later && <view.later.Why view={view} conversation={conversation} place="panel" />}
          {rows.length ? (
            <ol>
              {rows.map((row) => (
                <Line key={row.key} view={view} conversation={conversation} row={row} offer={offer} />
              ))}
            </ol>
          ) : (
            <ol>
              <li class="theirs assistant">
                <Who view={view} speaker={{ by: "assistant", name: "" }} />
                <Text text={words.t("empty_text")} />
              </li>
            </ol>
          )}
        </div>
        {conversation && view.later && <view.later.Stop view={view} conversation={conversation} />}
        {this.state.away && view.later && <view.later.Newest view={view} />}
      </div>
    );
  }
}
