// The pictures of the README: the shop after the second declined payment, and the chat that asks before it charges; in the
// light and in the dark. The demo is played for each, as its reader would.

import { fileURLToPath } from "node:url";
import { follow, newPage, press, shows, startBrowser, startDemo, widget } from "./stage.mjs";

const at = (name) => fileURLToPath(new URL(`../../docs/pictures/${name}.png`, import.meta.url));
const browser = await startBrowser();
const complaints = [];

for (const theme of ["light", "dark"]) {
  const demo = await startDemo();
  try {
    const page = await newPage(browser, [new URL(demo.shop).origin, new URL(demo.dashboard).origin], complaints, { width: 1100, height: 800 });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }]);
    await page.goto(demo.shop);
    await follow(page, ".shelf .tile form button");
    await follow(page, ".summary form button");
    await shows(page, ".card", "Visa ending 0002");
    await page.click(".card input[value$='0002']");
    for (const attempt of ["attempt 1", "attempt 2"]) {
      await follow(page, "form.pay button");
      await shows(page, "#declined", attempt);
    }
    const still = () => page.$eval("beckon-widget", async (host) => {
      for (const animation of host.shadowRoot.getAnimations()) if (animation.effect.getComputedTiming().iterations !== Infinity) animation.finish();
    });
    await widget(page, (root) => root.querySelector(".bubble"));
    await still();
    await page.screenshot({ path: at(`shop-${theme}`) });
    await press(page, "Use another card");
    await press(page, "Visa ending 4242");
    await widget(page, (root) => root.querySelector(".confirm .btn"));
    await still();
    await page.screenshot({ path: at(`widget-${theme}`) });
  } finally {
    await demo.stop();
  }
}
await browser.close();
for (const complaint of new Set(complaints)) console.error(complaint);
