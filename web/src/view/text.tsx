// Words of others: text as it is, or what the server made of its Markdown.

import { Component, createRef } from "preact";
import type { Entry } from "../protocol";
import type { View } from "./model";

export const Text = ({ text, lang, class: name = "" }: { text: string; lang?: string | undefined; class?: string }) => (
  <div class={`text ${name}`} dir="auto" lang={lang}>
    {text}
  </div>
);

interface WordsProps {
  view: View;
  entry: Entry;
}

/** Words with markup: as they were written until the part is there that puts in place what the server made of them. */
export class Words extends Component<WordsProps> {
  #place = createRef<HTMLDivElement>();
  #filled = false;

  override componentDidMount(): void {
    const { view, entry } = this.props;
    if (!view.later && this.#place.current) this.#place.current.textContent = entry.text ?? "";
    view.fetchLater();
    this.componentDidUpdate();
  }

  override componentDidUpdate(): void {
    const { view, entry } = this.props;
    if (this.#filled || !view.later || !this.#place.current) return;
    this.#filled = true;
    view.later.fill(this.#place.current, entry, view.parts);
  }

  override render() {
    return <div class="text rich" dir="auto" lang={this.props.entry.locale} ref={this.#place} />;
  }
}
