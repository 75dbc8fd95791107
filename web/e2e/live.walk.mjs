// @ts-check
// What happens is seen as it happens: by everybody, over one stream, also after the service was away.
import assert from "node:assert/strict";
import { until } from "./process.mjs";
import { call, endRide, rideIs, says, signIn, take } from "./ways.mjs";
import { AWAY, walk } from "./world.mjs";

const STREAMS = "taxisvc_event_streams_open";

walk("the service is killed under an open page and comes back: said calmly, and gone on by itself", async (world) => {
  const rider = await world.open("rider");
  const { page, words } = rider;
  const driver = await world.open("driver", { language: "en" });
  for (const { person } of [rider, driver]) person.expects(AWAY);
  await call(rider);
  await rideIs(rider, "underWay");
  await take(driver, 1);
  await driver.page.getByRole("heading", { name: driver.words.driver.none.underWay }).waitFor();
  for (const one of [rider, driver]) await says(one, one.words.live.on);

  await world.server.kill();
  for (const one of [rider, driver]) {
    await one.page.getByText(new RegExp(one.words.live.off(".+"))).waitFor();
    await one.page.getByRole("status").filter({ hasText: one.words.live.offHint }).first().waitFor();
    assert.equal(await one.page.getByRole("alert").filter({ hasText: /./ }).count(), 0, "it alarms nobody");
  }
  // What is known stays.
  await rideIs(rider, "underWay");
  await says(rider, "driver1111");

  await world.server.begin();
  await world.server.post("/drives/end", { driveId: 1 });
  await rideIs(rider, "arrived");
  await says(driver, driver.words.driver.done("₩100,000"));
  await says(driver, driver.words.live.on);
});

walk("what happened while nobody was told is shown once the stream is back", async (world) => {
  const rider = await world.open("rider");
  rider.person.expects(AWAY);
  await call(rider);
  await rideIs(rider, "underWay");
  await says(rider, rider.words.live.on);
  await world.server.kill();
  await rider.page.getByText(new RegExp(rider.words.live.off(".+"))).waitFor();
  // Elsewhere, where the page does not reach it.
  const { process } = world.server;
  const where = process.addresses;
  process.addresses = {};
  await world.server.begin();
  await world.server.post("/drives/end", { driveId: 1 });
  await world.server.comesTo(1, "driveComplete");
  await world.server.kill();
  process.addresses = where;
  await rideIs(rider, "underWay");
  await world.server.begin();
  await rideIs(rider, "arrived");
});

walk("tabs of one browser share one stream, and each sees what the other does", async (world) => {
  const rider = await world.open("rider");
  await call(rider);
  await rideIs(rider, "underWay");
  await until("a stream", async () => (await world.server.metric(STREAMS)) === 1);
  const others = [];
  for (const path of ["/", "/", "/driver#1"]) others.push({ ...rider, page: await rider.person.tab(path) });
  for (const other of others) await says(other, other.words.live.on);
  assert.equal(await world.server.metric(STREAMS), 1);
  const { driver } = rider.words;
  const page = others[2]?.page;
  assert(page);
  await page.getByRole("button", { name: driver.end, exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: driver.endYes, exact: true }).click();
  for (const one of [rider, ...others.slice(0, 2)]) await rideIs(one, "arrived");
  // Nothing more is to come, and nothing is held open for it but by the driver, whose page stays on its drive.
  await page.close();
  await until("no stream", async () => (await world.server.metric(STREAMS)) === 0);
});

walk("a call in one tab is seen in the other", async (world) => {
  const rider = await world.open("rider");
  const other = { ...rider, page: await rider.person.tab() };
  await call(rider);
  await rideIs(other, "underWay");
  await endRide(await world.open("driver"), 1);
  for (const one of [rider, other]) await rideIs(one, "arrived");
});

walk("rider, driver and operator see the same change live, each in a browser of their own", async (world) => {
  const rider = await world.open("rider");
  const driver = await world.open("driver", { language: "en" });
  const operator = await world.open("operator", { language: "en" });
  await signIn(operator);
  await says(operator, operator.words.console.empty);
  // From here on the operator is told by the stream, or not at all.
  await operator.page.route((url) => url.pathname.startsWith("/callViews"), () => undefined);
  await call(rider);
  await rideIs(rider, "underWay");
  await take(driver, 1);
  await driver.page.getByRole("heading", { name: driver.words.driver.none.underWay }).waitFor();
  const row = operator.page.getByRole("row").filter({ hasText: "어진" });
  await row.filter({ hasText: operator.words.console.status.driveStart }).waitFor();
  await driver.page.getByRole("button", { name: driver.words.driver.end, exact: true }).click();
  await driver.page.getByRole("dialog").getByRole("button", { name: driver.words.driver.endYes, exact: true }).click();
  await rideIs(rider, "arrived");
  await row.filter({ hasText: operator.words.console.status.driveComplete }).waitFor();
});
