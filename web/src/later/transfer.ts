// Files on their way to the server and back, in the name of the session.

import type { Attachment } from "../protocol";
import type { View } from "../view/model";

/** The server said no; 0 where it could not be reached. */
export class Refused extends Error {
  constructor(readonly status: number) {
    super(`status ${status}`);
  }
}

/** Of whoever the session is: the token, else the secret of this browser. Null where the page must give another token. */
async function credentials(view: View, renew: boolean): Promise<Record<string, string> | null> {
  const { identity } = view.session;
  const token = await identity.token(renew);
  if (token === null) return null;
  return token !== undefined ? { authorization: `Bearer ${token}` } : { "x-beckon-anonymous": identity.anonymous ?? "" };
}

/** Does it, and once more with a new token where the first one has run out. */
async function authorised<T>(view: View, act: (headers: Record<string, string>) => Promise<T>): Promise<T> {
  for (const renew of [false, true]) {
    const headers = await credentials(view, renew);
    if (!headers) break;
    try {
      return await act(headers);
    } catch (error) {
      if (renew || !(error instanceof Refused && error.status === 401)) throw error;
    }
  }
  throw new Refused(401);
}

const address = (view: View, rest: string): string => `${view.parts.origin}/v1/chat/attachments${rest}`;

function isAttachment(value: Partial<Attachment> | null): value is Attachment {
  return typeof value?.id === "string" && typeof value.name === "string" && typeof value.type === "string" && Number.isSafeInteger(value.size);
}

/** Sends one file. `told` hears which share of it is gone, from 0 to 1. Rejects with `Refused`, or where `signal` stops it. */
export function upload(view: View, file: Blob, name: string, told: (share: number) => void, signal: AbortSignal): Promise<Attachment> {
  const act = (headers: Record<string, string>) =>
    new Promise<Attachment>((done, failed) => {
      // `fetch` does not say how far it is.
      const request = new XMLHttpRequest();
      request.open("POST", address(view, `?name=${encodeURIComponent(name)}`));
      for (const [header, value] of Object.entries(headers)) request.setRequestHeader(header, value);
      request.responseType = "json";
      request.upload.onprogress = ({ loaded, total }) => told(total ? loaded / total : 0);
      request.onload = () => {
        const made = request.response as Partial<Attachment> | null;
        if (request.status === 201 && isAttachment(made)) done(made);
        else failed(new Refused(request.status));
      };
      request.onerror = request.onabort = () => failed(new Refused(0));
      signal.addEventListener("abort", () => request.abort());
      request.send(file);
    });
  return authorised(view, act);
}

/** The bytes of a file. Rejects with `Refused`. */
export function fetched(view: View, { id }: Attachment): Promise<Blob> {
  return authorised(view, async (headers) => {
    const response = await fetch(address(view, `/${encodeURIComponent(id)}`), { headers, credentials: "omit" }).catch(() => null);
    if (!response?.ok) throw new Refused(response?.status ?? 0);
    return response.blob();
  });
}
