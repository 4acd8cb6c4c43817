// Everything inside the shadow root: launcher, bubble, panel, and the node that speaks to screen readers.

import { Component, createRef } from "preact";
import { Bubble } from "./bubble";
import { Down, Flag } from "./icons";
import type { View } from "./model";
import { Panel } from "./panel";

export interface Focus {
  composer?: () => void;
  launcher?: () => void;
}

interface Props {
  view: View;
  theme: "light" | "dark";
  dir: "ltr" | "rtl";
  focus: Focus;
}

const BADGE_MOST = 9;

const stop = (event: Event): void => event.stopPropagation();

const target = (event: Event): HTMLElement | null => (event.target instanceof HTMLElement ? event.target : null);

/** Drawn, with a size, and not made invisible by the page. */
function inView(element: Element | null | undefined): boolean {
  if (!element || element.getClientRects().length === 0) return false;
  return element.checkVisibility?.({ opacityProperty: true, visibilityProperty: true }) ?? true;
}

export class Widget extends Component<Props, { flipped: boolean }> {
  override state = { flipped: false };
  #root = createRef<HTMLDivElement>();
  #button = createRef<HTMLButtonElement>();
  #field = createRef<HTMLTextAreaElement>();
  /** What had the focus before the panel was opened. */
  #before: Element | null = null;
  /** What in here has the focus. */
  #held: HTMLElement | null = null;
  #unsubscribe = () => {};

  override componentDidMount(): void {
    const { view, focus } = this.props;
    this.#unsubscribe = view.subscribe(() => this.forceUpdate());
    for (const [type, listener] of this.#heard) document.addEventListener(type, listener);
    focus.composer = this.#enter;
    focus.launcher = this.#leave;
    this.componentDidUpdate();
  }

  override componentWillUnmount(): void {
    this.#unsubscribe();
    for (const [type, listener] of this.#heard) document.removeEventListener(type, listener);
  }

  override componentDidUpdate(): void {
    // A button that was used and is gone must not take the keyboard's place with it.
    if (this.props.view.open && this.#held && !this.#held.isConnected) this.#enter();
    requestAnimationFrame(this.#look);
  }

  /** A bubble may wait for a field to be left, or for the page to be looked at. */
  #maybe = (): void => void setTimeout(() => this.props.view.changed(), 0);

  /** What has the page's focus must be seen. */
  #giveWay = (): void => {
    const { view } = this.props;
    const own = this.#root.current?.querySelector(".panel, .bubble");
    if (own) view.later?.giveWay(own, view, () => this.setState(({ flipped }) => ({ flipped: !flipped })));
  };

  #look = (): void => this.props.view.looked(inView(this.#root.current?.querySelector(".panel, .bubble")));

  /** What the page is listened to for. */
  #heard: [string, () => void][] = [
    ["visibilitychange", this.#maybe],
    ["focusin", this.#giveWay],
    ["focusout", this.#maybe],
    ["input", () => this.props.view.typed()],
  ];

  #enter = (): void => {
    const root = this.#root.current;
    if (!this.#held) this.#before = document.activeElement;
    const touch = matchMedia("(pointer: coarse)").matches;
    // On a touch screen the keyboard would hide what was just opened.
    const place = touch ? root?.querySelector<HTMLElement>(".log") : this.#field.current;
    (place ?? root?.querySelector<HTMLElement>(".panel .icon"))?.focus();
  };

  #leave = (): void => {
    this.#held = null;
    if (this.#button.current) this.#button.current.focus();
    else if (this.#before instanceof HTMLElement && this.#before.isConnected) this.#before.focus();
  };

  /** Removing an element ends its focus too: wait a moment to tell the two apart. */
  #let = (event: Event): void => {
    const left = target(event);
    queueMicrotask(() => {
      if (left?.isConnected && this.#held === left) this.#held = null;
    });
  };

  #key = (event: KeyboardEvent): void => {
    event.stopPropagation();
    const { view } = this.props;
    if (event.key !== "Escape" || event.isComposing) return;
    if (view.unfolded.has("menu")) view.fold("menu", false);
    else if (view.open) view.close();
    else if (view.bubble && target(event)?.closest(".bubble")) view.dismiss(view.bubble);
  };

  override render() {
    const { view, theme, dir } = this.props;
    const { words, open, bubble, unread } = view;
    const label = words.t(open ? "close" : "open");
    const { position } = view.options;
    const side = this.state.flipped ? (position === "end" ? "start" : "end") : position;
    return (
      <div
        ref={this.#root}
        class={`root ${theme} ${side} ${open ? "open" : ""}`}
        dir={dir}
        lang={words.language}
        // The page's own shortcuts must not hear what is typed here.
        onKeyDown={this.#key}
        onKeyUp={stop}
        onKeyPress={stop}
        onAnimationEnd={this.#look}
        onFocusIn={(event) => (this.#held = target(event))}
        onFocusOut={this.#let}
      >
        {view.launcher && (
          <button
            ref={this.#button}
            type="button"
            class="launcher"
            part="launcher"
            aria-label={unread && !open ? `${label}, ${words.counted("unread", unread)}` : label}
            aria-expanded={open}
            onClick={() => (open ? view.close() : view.show())}
          >
            {open ? <Down /> : <Flag />}
            {unread > 0 && !open && (
              <span class="badge" aria-hidden="true">
                {unread > BADGE_MOST ? `${words.number(BADGE_MOST)}+` : words.number(unread)}
              </span>
            )}
          </button>
        )}
        {bubble && <Bubble key={bubble.id} view={view} conversation={bubble} />}
        {open && <Panel view={view} field={this.#field} />}
        <div class="hush" role="status">
          {view.announcer.line}
        </div>
      </div>
    );
  }
}
