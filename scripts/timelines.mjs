// Draws docs/pictures/timelines/*.svg: one picture in time for each condition that docs/playbooks.md describes.
//
//   node scripts/timelines.mjs           writes them
//   node scripts/timelines.mjs --check   fails where a committed one differs

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const FOLDER = fileURLToPath(new URL("../docs/pictures/timelines/", import.meta.url));
const WIDTH = 720;
const [LEFT, RIGHT] = [150, 690];
const ROW = 56;

// Shapes tell kinds apart, colours only help: a dot is an event, a ring one that does not count, a bar a window, a flag an opening.
const STYLE = `
  .ground { fill: #faf7f1; stroke: #ddd5c6 } text { fill: #17211e; font: 13px system-ui, sans-serif } .dim { fill: #4a5752; font-size: 12px }
  .axis { stroke: #8e8674; stroke-width: 1.5 } .event { fill: #c84b13 } .other { fill: #0b6b63 } .ring { fill: #faf7f1; stroke: #8e8674; stroke-width: 2 }
  .window { fill: #fbe9dc; stroke: #c84b13 } .no { fill: #f1ece2; stroke: #8e8674; stroke-dasharray: 4 3 } .flag { fill: #5b3fb0; stroke: #5b3fb0; stroke-width: 2 }
  .bar { fill: #c84b13 } .usual { fill: #8e8674 } .line { stroke: #0b6b63; stroke-width: 2; stroke-dasharray: 5 4; fill: none }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #171f1c; stroke: #2a3530 } text { fill: #edf1ec } .dim { fill: #b4bfb9 } .axis { stroke: #6b7972 } .event { fill: #ff9a5c } .other { fill: #5fd0c3 }
    .ring { fill: #171f1c; stroke: #b4bfb9 } .window { fill: #3a2414; stroke: #ff9a5c } .no { fill: #101614; stroke: #8d9a93 } .flag { fill: #b7a5ff; stroke: #b7a5ff }
    .bar { fill: #ff9a5c } .usual { fill: #8d9a93 } .line { stroke: #5fd0c3 }
  }`;

/** One picture: rows of things at times from 0 to 100. */
class Picture {
  constructor(title, rows) {
    this.title = title;
    this.rows = rows;
    this.parts = rows.map((label, row) => label && `<text x="20" y="${this.y(row) + 4}">${label}</text><path class="axis" d="M${LEFT} ${this.y(row)}H${RIGHT}"/>`);
  }
  x(time) {
    return Math.round(LEFT + ((RIGHT - LEFT) * time) / 100);
  }
  y(row) {
    return 44 + row * ROW;
  }
  add(part) {
    this.parts.push(part);
    return this;
  }
  events(row, times, kind = "event") {
    for (const time of times) this.add(`<circle class="${kind}" cx="${this.x(time)}" cy="${this.y(row)}" r="6"/>`);
    return this;
  }
  note(row, time, words, below = 27) {
    return this.add(`<text class="dim" x="${this.x(time)}" y="${this.y(row) + below}" text-anchor="middle">${words}</text>`);
  }
  window(row, from, to, words, kind = "window") {
    const [x, y] = [this.x(from), this.y(row)];
    this.parts.unshift(`<rect class="${kind}" x="${x}" y="${y - 13}" width="${this.x(to) - x}" height="26" rx="6"/>`);
    return words ? this.note(row, (from + to) / 2, words, -19) : this;
  }
  opens(row, time, words = "opens") {
    const [x, y] = [this.x(time), this.y(row)];
    return this.add(`<path class="flag" d="M${x} ${y}v-16l11 5-11 5"/><text class="dim" x="${x + 15}" y="${y - 8}">${words}</text>`);
  }
  bars(row, values, usual) {
    values.forEach(([value, kind], at) => {
      const high = value * 5;
      this.add(`<rect class="${kind}" x="${this.x(at * 9) + 6}" y="${this.y(row) - high}" width="26" height="${high}" rx="2"/>`);
      this.add(`<text class="dim" x="${this.x(at * 9) + 19}" y="${this.y(row) + 19}" text-anchor="middle">${at + 1}</text>`);
    });
    const y = this.y(row) - usual.height * 5;
    return this.add(`<path class="line" d="M${LEFT} ${y}H${this.x(90)}"/><text class="dim" x="${this.x(90) + 4}" y="${y + 4}">${usual.words}</text>`);
  }
  svg() {
    const height = this.y(this.rows.length - 1) + 44;
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="t">\n` +
      `<title id="t">${this.title}</title>\n<style>${STYLE}\n</style>\n` +
      `<rect class="ground" x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="12"/>\n${this.parts.filter(Boolean).join("\n")}\n</svg>\n`
    );
  }
}

const PICTURES = {
  count: new Picture("Three declined cards within ten minutes open; the first three are used up, so the fourth opens nothing", ["card.declined"])
    .window(0, 22, 62, "within: 10m")
    .events(0, [22, 40, 62, 74])
    .note(0, 4, "13:50")
    .events(0, [4], "ring")
    .note(0, 22, "1")
    .note(0, 40, "2")
    .note(0, 62, "3")
    .note(0, 74, "1 again")
    .opens(0, 62),
  tumbling: new Picture("Tumbling windows lie side by side: two events in one day and two in the next are never three in a day", ["at_least: 3"])
    .window(0, 2, 32, "Monday", "no")
    .window(0, 34, 64, "Tuesday", "no")
    .window(0, 66, 96, "Wednesday")
    .events(0, [20, 28, 37, 48, 70, 76, 84])
    .note(0, 24, "2")
    .note(0, 42, "2")
    .note(0, 77, "3")
    .opens(0, 84, ""),
  sum: new Picture("Amounts are added up over the window that ends at each event: 200, 180 and 150 are 530, at least 500", ["card.used"])
    .window(0, 25, 75, "within: 1d")
    .events(0, [25, 50, 75])
    .events(0, [8], "ring")
    .note(0, 8, "90")
    .note(0, 25, "200")
    .note(0, 50, "180")
    .note(0, 75, "150, in all 530")
    .opens(0, 75),
  max: new Picture("The largest value in the window is compared: 120, 640 and 80 have the maximum 640, at least 500", ["card.used"])
    .window(0, 20, 55, "within: 1d")
    .events(0, [20, 55])
    .note(0, 20, "120")
    .note(0, 55, "640")
    .events(0, [80], "ring")
    .note(0, 80, "80")
    .opens(0, 55),
  first: new Picture("The first use of a feature opens; a later one does not until the window has passed without any", ["feature.used"])
    .events(0, [12])
    .opens(0, 12, "opens: none before")
    .events(0, [55], "ring")
    .note(0, 55, "one came before"),
  sequence: new Picture("The plan was viewed, then cancelling began, within an hour: opens at the last step. In the other order it does not", ["plan.viewed", "cancel.started"])
    .window(0, 50, 80, "within: 1h")
    .events(1, [15], "ring")
    .note(1, 15, "no step before")
    .events(0, [50])
    .note(0, 50, "step 1")
    .events(1, [80], "other")
    .note(1, 80, "step 2")
    .opens(1, 80),
  absence: new Picture("After the cart was updated no order came for thirty minutes: opens. An order at the very end of the wait ends it", ["cart.updated", "order.completed"])
    .window(0, 4, 40, "within: 30m", "no")
    .events(0, [4])
    .events(1, [40], "other")
    .note(1, 40, "in time: withdrawn")
    .window(0, 52, 88, "within: 30m")
    .events(0, [52])
    .opens(0, 88, ""),
  change: new Picture("Logins by week: six usual weeks, then two below 40 percent of their median open when the second of them is over", ["", "user.login"])
    .bars(1, [[10, "usual"], [9, "usual"], [11, "usual"], [10, "usual"], [8, "usual"], [10, "usual"], [3, "bar"], [3, "bar"]], { height: 4, words: "40%" })
    .opens(1, 77, "opens"),
  debounce: new Picture("Matches of one key within two seconds of each other become one opening, which knows them all; at most thirty seconds after the first", ["parcel.delayed"])
    .window(0, 15, 72, "for: 2s after the last")
    .events(0, [15, 28, 46])
    .note(0, 15, "60 min")
    .note(0, 28, "90 min")
    .note(0, 46, "180 min")
    .opens(0, 72, "opens, with all three"),
  "quiet-hours": new Picture("What matches at night waits until eight in the morning of the customer, is asked again, and opens once; a drop opens nothing", ["then: hold", "then: drop"])
    .window(0, 25, 70, "21:00 to 08:00", "no")
    .window(1, 25, 70, "", "no")
    .events(0, [40])
    .opens(0, 70)
    .events(1, [40], "ring")
    .note(1, 40, "quiet"),
};

const check = process.argv.includes("--check");
mkdirSync(FOLDER, { recursive: true });
const differing = [];
for (const [name, picture] of Object.entries(PICTURES)) {
  const path = `${FOLDER}${name}.svg`;
  const svg = picture.svg();
  if (!check) writeFileSync(path, svg);
  else {
    let committed = "";
    try {
      committed = readFileSync(path, "utf8");
    } catch {
      // It is not there at all, which differs as well.
    }
    if (committed !== svg) differing.push(name);
  }
}
if (differing.length > 0) {
  console.error(`not what scripts/timelines.mjs draws: ${differing.join(", ")}. Run it and commit what it wrote`);
  process.exit(1);
}
