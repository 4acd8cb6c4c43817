// What is not needed until a panel is open: all but plain messages, with their words and looks.

import { later as words } from "../locales/en.json";
import css from "../styles/later.css";
import { giveWay } from "./aside";
import { Attach, Attached } from "./attaching";
import { Ended } from "./ended";
import { use, type Kit } from "./kit";
import { lineOf } from "./lines";
import { List } from "./list";
import { Failed } from "./failed";
import { fill } from "./markup";
import { Helped } from "./helped";
import { Menu, MenuButton } from "./menu";
import { Newest } from "./newest";
import { othersOf } from "./others";
import { Ratings } from "./ratings";
import { Other } from "./rows";
import { Stop } from "./stop";
import { Why } from "./why";

export interface Later {
  Attach: typeof Attach;
  Attached: typeof Attached;
  Ended: typeof Ended;
  Failed: typeof Failed;
  Helped: typeof Helped;
  List: typeof List;
  Menu: typeof Menu;
  MenuButton: typeof MenuButton;
  Newest: typeof Newest;
  Other: typeof Other;
  Ratings: typeof Ratings;
  Stop: typeof Stop;
  Why: typeof Why;
  fill: typeof fill;
  giveWay: typeof giveWay;
  lineOf: typeof lineOf;
  othersOf: typeof othersOf;
  css: string;
  /** The English ones. */
  words: Record<string, string>;
}

export function make(kit: Kit): Later {
  use(kit);
  return { Attach, Attached, Ended, Failed, Helped, List, Menu, MenuButton, Newest, Other, Ratings, Stop, Why, fill, giveWay, lineOf, othersOf, css, words };
}
