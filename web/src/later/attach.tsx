// Files: the way to pick them, what waits to be sent, and those of a message.

import type { Attachment } from "../protocol";
import type { View } from "../view/model";
import { Close } from "../view/icons";
import { Files } from "./files";
import { Clip, Sheet } from "./icons";
import { isPicture, labelOf, sizeOf } from "./kinds";
import { use, type Kit } from "./kit";
import { percent, type Picked, type Tray } from "./tray";

/** Each in its own direction: beside Arabic words "PDF" would carry the number away. */
const About = ({ view, type, size }: { view: View; type: string; size: number }) => (
  <>
    <bdi>{labelOf(type)}</bdi> · <bdi>{sizeOf(size, view.words.tag)}</bdi>
  </>
);

function Waiting({ view, tray, picked }: { view: View; tray: Tray; picked: Picked }) {
  const { words } = view;
  const { name, type, file, share, made } = picked;
  const state = made ? words.t("uploaded") : share !== null ? words.t("uploading", { percent: percent(view, share) }) : <About view={view} type={type} size={file.size} />;
  return (
    <li>
      <Sheet />
      <span class="line">
        <bdi class="name">{name}</bdi>
        <span class="meta">{state}</span>
      </span>
      <button type="button" class="icon" aria-label={words.t("remove", { name })} onClick={() => tray.remove(picked)}>
        <Close />
      </button>
    </li>
  );
}

function Attach({ view, files, place }: { view: View; files: Files; place: string }) {
  const { words, session } = view;
  const tray = files.at(place);
  return (
    <>
      {tray && (
        <div class="tray">
          <ul class="files" aria-label={words.t("files")}>
            {tray.list.map((picked) => (
              <Waiting key={picked.key} view={view} tray={tray} picked={picked} />
            ))}
          </ul>
          {tray.failed && (
            <button type="button" class="link" onClick={() => tray.send((view.drafts.get(place) ?? "").trim())}>
              {words.t("retry")}
            </button>
          )}
        </div>
      )}
      {files.over && (
        <p class="drop" aria-hidden="true">
          {words.t("drop")}
        </p>
      )}
      <input
        type="file"
        multiple
        hidden
        accept={session.limits?.types.join()}
        onChange={({ currentTarget: input }) => {
          void files.add(place, [...(input.files ?? [])]);
          // The same file may be picked again.
          input.value = "";
        }}
      />
      <button
        ref={files.listen}
        type="button"
        class="icon"
        aria-label={words.t("attach")}
        aria-disabled={tray?.busy}
        onClick={({ currentTarget: { previousElementSibling: input } }) => tray?.busy || (input as HTMLInputElement).click()}
      >
        <Clip />
      </button>
    </>
  );
}

function File({ view, files, file }: { view: View; files: Files; file: Attachment }) {
  const { words } = view;
  return (
    <button type="button" class="file" onClick={() => files.save(file)}>
      <Sheet />
      <span class="line">
        <span class="hush">{words.t("download")}: </span>
        <bdi class="name">{file.name}</bdi>
        <span class="meta">
          <About view={view} type={file.type} size={file.size} />
        </span>
      </span>
    </button>
  );
}

function Drawn({ files, file }: { files: Files; file: Attachment }) {
  const { width, height, place } = files.picture(file);
  return <canvas role="img" aria-label={file.name} width={width} height={height} ref={place} />;
}

function Attached({ view, files, list }: { view: View; files: Files; list: Attachment[] }) {
  return (
    <ul class="files" aria-label={view.words.t("files")}>
      {list.map((file) => (
        <li key={file.id}>{isPicture(file) && !files.picture(file).failed ? <Drawn files={files} file={file} /> : <File view={view} files={files} file={file} />}</li>
      ))}
    </ul>
  );
}

export interface Attaching {
  Files: typeof Files;
  Attach: typeof Attach;
  Attached: typeof Attached;
}

export function make(kit: Kit): Attaching {
  use(kit);
  return { Files, Attach, Attached };
}
