// Where the customer writes. Enter sends, Shift+Enter breaks the line, and an input method is left to finish.

import type { Ref } from "preact";
import { Send } from "./icons";
import type { View } from "./model";

/** Well below the 64 kB of a frame, in any script. */
const LONGEST = 8_000;
const LINES = 5;

const grows = globalThis.CSS?.supports("field-sizing", "content") ?? false;

export function Composer({ view, field }: { view: View; field: Ref<HTMLTextAreaElement> }) {
  const { current, later, words } = view;
  const place = current?.id ?? "";
  const tray = view.files?.at(place);
  const draft = view.drafts.get(place) ?? "";
  const name = current?.holder === "operator" ? current.name : "";
  const hint = name ? words.t("write_to", { name }) : words.t("write");

  const send = () => {
    const text = draft.trim();
    if (tray) return tray.send(text);
    if (!text || !view.say(text)) return;
    view.drafts.delete(place);
    view.changed();
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {later && <later.Attach view={view} place={place} />}
      <textarea
        ref={field}
        readOnly={tray?.busy}
        // Empty, it reads as the panel does: a caret on its side, a hint in its order.
        dir={draft ? "auto" : undefined}
        rows={grows ? 1 : Math.min(LINES, draft.split("\n").length)}
        maxLength={LONGEST}
        aria-label={hint}
        placeholder={hint}
        enterkeyhint="send"
        value={draft}
        onInput={(event) => {
          view.write(event.currentTarget.value);
          if (current && event.currentTarget.value) view.session.typing(current.id);
        }}
        onKeyDown={(event) => {
          // 229: Safari ends a composition with an Enter that no longer says so.
          if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
          event.preventDefault();
          send();
        }}
      />
      <button type="submit" class="icon send" aria-label={words.t("send")} aria-disabled={tray ? tray.busy : !draft.trim()}>
        <Send />
      </button>
    </form>
  );
}
