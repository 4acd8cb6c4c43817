// Beckon in a React application: one component near the root, one hook where something is to be known.

import { load, type Events, type Options } from "@beckon/web";
import { useEffect, useState } from "react";

interface Props extends Options {
  /** Of the Beckon server. */
  origin: string;
  /** Changes when somebody else signs in; empty when nobody is. */
  user: string;
}

/** Renders nothing: the widget lives in an element of its own. Give functions and objects a stable identity. */
export function Beckon({ origin, user, ...options }: Props): null {
  const changes = JSON.stringify({ ...options, token: undefined });
  useEffect(() => {
    load(origin, options).catch(console.error);
    // Options are compared by what they say, the token by whose it is.
  }, [origin, changes]);
  useEffect(() => {
    if (!user) return;
    return () => window.Beckon?.("reset");
  }, [user]);
  return null;
}

/** The latest of an event of the widget, such as `useBeckon("unread")?.count`. */
export function useBeckon<Name extends keyof Events>(name: Name): Events[Name] | undefined {
  const [detail, setDetail] = useState<Events[Name]>();
  useEffect(() => {
    const event = `beckon:${name.replace(/[:_]/g, "-")}`;
    const listen = (heard: Event) => setDetail((heard as CustomEvent<Events[Name]>).detail);
    document.addEventListener(event, listen);
    return () => document.removeEventListener(event, listen);
  }, [name]);
  return detail;
}
