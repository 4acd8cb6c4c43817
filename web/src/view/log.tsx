// The log of a conversation: one hairline down the side, on which everyone who speaks has a sign.

import { Component, createRef } from "preact";
import type { Conversation, Offer } from "../conversation";
import { Choices } from "./choices";
import type { View } from "./model";
import { localsOf, rowsOf, type Row } from "./rows";
import { Text, Words } from "./text";
import { Who } from "./who";

/** Nearer to the end than this is being at the end: the log follows what comes. */
const NEAR_PX = 60;

function Local({ view, row }: { view: View; row: Extract<Row, { row: "local" }> }) {
  const { words } = view;
  const { item } = row;
  const state = item.state === "taken" ? "sent" : view.trouble ? "kept" : "sending";
  return (
    <li class={`mine ${item.state}`}>
      <span class="hush">{words.t("you")}: </span>
      <Text text={item.label} class="slip" />
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
    return (
      <li class={mine ? "mine" : `theirs ${entry.by}`}>
        {mine ? <span class="hush">{words.t("you")}: </span> : row.first && <Who view={view} speaker={speaker} />}
        {entry.html && !mine ? <Words key={entry.id} view={view} entry={entry} /> : <Text text={entry.text ?? ""} lang={entry.locale} {...(mine ? { class: "slip" } : {})} />}
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

  #toEnd = (): void => {
    const log = this.#scroller.current;
    if (log) log.scrollTop = log.scrollHeight;
  };

  #scrolled = (): void => {
    const log = this.#scroller.current;
    const away = log !== null && log.scrollHeight - log.scrollTop - log.clientHeight > NEAR_PX;
    if (away !== this.state.away) this.setState({ away });
  };

  #return = (): void => {
    this.#toEnd();
    this.#scroller.current?.focus();
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
        {this.state.away && view.later && <view.later.Newest view={view} go={this.#return} />}
      </div>
    );
  }
}
