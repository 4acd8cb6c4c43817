// Where files come in: what deals with them is a part of its own, loaded where files may be sent or were.

import type { Attachment } from "../protocol";
import type { Item } from "../outbox";
import type { View } from "../view/model";
import type { Attaching, make } from "./attach";
import { Fragment, jsx, jsxs } from "./kit";

let part: Attaching | null = null;

/** Null until it is there; it is drawn again then. */
function partFor(view: View): Attaching | null {
  if (part) view.files ??= new part.Files(view);
  else
    view.parts.load<{ make: typeof make }>("attach").then(
      (loaded) => {
        part ??= loaded.make({ jsx, jsxs, Fragment });
        view.changed();
      },
      () => undefined,
    );
  return part;
}

/** Beside the composer: the way to pick files, and those that wait. */
export function Attach({ view, place }: { view: View; place: string }) {
  if (!view.session.limits && !view.files?.at(place)) return null;
  const Part = partFor(view);
  return Part && view.files && <Part.Attach view={view} files={view.files} place={place} />;
}

/** The files of a message: their names, until more can be shown. */
export function Attached({ view, files }: { view: View; files: Attachment[] }) {
  const Part = partFor(view);
  if (!files.length) return null;
  if (Part && view.files) return <Part.Attached view={view} files={view.files} list={files} />;
  return (
    <ul class="files">
      {files.map(({ id, name }) => (
        <li key={id}>
          <bdi class="name">{name}</bdi>
        </li>
      ))}
    </ul>
  );
}

/** A message that was refused because its files are gone: back to where it can be sent anew. */
export function takeBack(view: View, { frame, label, attachments }: Item): void {
  const place = frame.conversation_id ?? "";
  const { drafts } = view;
  drafts.set(place, [label, drafts.get(place)].filter(Boolean).join("\n"));
  view.session.outbox.remove(frame.client_id);
  view.files?.takeBack(place, attachments ?? []);
  view.changed();
}
