// What is not needed until a panel is open: all but plain messages, with their words and looks.

import { later as words } from "../locales/en.json";
import css from "../styles/later.css";
import { giveWay } from "./aside";
import { Ended } from "./ended";
import { use, type Kit } from "./kit";
import { List } from "./list";
import { Failed } from "./failed";
import { fill } from "./markup";
import { Helped } from "./helped";
import { Menu } from "./menu";
import { Newest } from "./newest";
import { Ratings } from "./ratings";
import { Other } from "./rows";
import { Stop } from "./stop";
import { Why } from "./why";

export interface Later {
  Ended: typeof Ended;
  Failed: typeof Failed;
  Helped: typeof Helped;
  List: typeof List;
  Menu: typeof Menu;
  Newest: typeof Newest;
  Other: typeof Other;
  Ratings: typeof Ratings;
  Stop: typeof Stop;
  Why: typeof Why;
  fill: typeof fill;
  giveWay: typeof giveWay;
  css: string;
  /** The English ones. */
  words: Record<string, string>;
}

export function make(kit: Kit): Later {
  use(kit);
  return { Ended, Failed, Helped, List, Menu, Newest, Other, Ratings, Stop, Why, fill, giveWay, css, words };
}
