// Below a conversation that has ended: whether it helped, asked once, and the way to a new one.

import type { Conversation } from "../conversation";
import type { View } from "../view/model";
import { rate } from "./acts";
import { outcomeOf } from "./outcome";
import type { Ratings } from "./ratings";

const SCORES = [1, 2, 3, 4, 5] as const;
const LONGEST = 2_000;

function Asking({ view, ratings, conversation }: { ratings: Ratings; view: View; conversation: Conversation }) {
  const { words } = view;
  const draft = ratings.draft(conversation);
  return (
    <form
      class="rating"
      onSubmit={(event) => {
        event.preventDefault();
        rate(view, conversation, draft.score, draft.comment);
      }}
    >
      <fieldset>
        <legend>{words.t("rate")}</legend>
        <div class="scores">
          {SCORES.map((score) => (
            <label key={score} class={score === draft.score ? "score on" : "score"}>
              <input
                type="radio"
                name="score"
                checked={score === draft.score}
                aria-label={`${words.number(score)}, ${words.t(`rate_${score}`)}`}
                onChange={() => {
                  draft.score = score;
                  view.changed();
                }}
              />
              <span aria-hidden="true">{words.number(score)}</span>
            </label>
          ))}
        </div>
        <p class="ends" aria-hidden="true">
          <span>{words.t("rate_1")}</span>
          <span>{words.t("rate_5")}</span>
        </p>
      </fieldset>
      {draft.score > 0 && (
        <>
          <label class="comment">
            <span>{words.t("rate_comment")}</span>
            <textarea
              dir={draft.comment ? "auto" : undefined}
              rows={2}
              maxLength={LONGEST}
              value={draft.comment}
              onInput={({ currentTarget }) => {
                draft.comment = currentTarget.value;
                currentTarget.dir = draft.comment && "auto";
              }}
            />
          </label>
          <button type="submit" class="btn first">
            {words.t("rate_send")}
          </button>
        </>
      )}
    </form>
  );
}

export function Ended({ view, conversation }: { view: View; conversation: Conversation }) {
  const { ratings, words } = view;
  const asks = ["goal", "resolved", "closed_by_operator"].includes(outcomeOf(conversation));
  return (
    <div class="after">
      {asks && ratings && (ratings.has(conversation) ? <p class="thanks">{words.t("rated")}</p> : <Asking view={view} ratings={ratings} conversation={conversation} />)}
      {view.mayBegin && (
        <button type="button" class="btn" onClick={() => view.select(null)}>
          {words.t("new")}
        </button>
      )}
    </div>
  );
}
