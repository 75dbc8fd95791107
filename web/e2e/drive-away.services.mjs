// @ts-check
// The pages through a gateway, each service by itself, while one of them is down and comes back.
import assert from "node:assert/strict";
import { Fleet } from "./fleet.mjs";
import { call, cancel, endRide, rideIs, row, says, signIn, story } from "./ways.mjs";
import { World, walkOver } from "./world.mjs";

walkOver("drive is down: calls wait for a taxi and say so, one is cancelled there, the other goes on with it", Fleet, async (world) => {
  const { server } = world;
  const first = await world.open("rider");
  const second = await world.open("rider", { language: "en" });
  const operator = await world.open("operator", { language: "en" });
  await signIn(operator);
  await call(first);
  await rideIs(first, "underWay");
  await endRide(await world.open("driver"), await numberOf(first));
  await rideIs(first, "arrived");

  await server.killOne("drive");
  await call(first, { distance: "20" });
  await rideIs(first, "finding");
  await says(first, first.words.phaseSays.finding);
  await call(second, { distance: "30" });
  await rideIs(second, "finding");
  const [off, on] = [await numberOf(first), await numberOf(second)];
  for (const number of [off, on]) await row(operator, number).filter({ hasText: operator.words.console.status.driveRequest }).waitFor();
  await cancel(first, first.words.rider.cancelReturns("200,000원"));
  await rideIs(first, "cancelling");
  await says(first, first.words.phaseSays.cancelling);

  await server.beginOne("drive");
  await rideIs(first, "returned");
  await says(first, first.words.rider.cost.returned("200,000원"));
  await rideIs(second, "underWay");
  const driver = await world.open("driver", { language: "en" });
  await endRide(driver, on);
  await rideIs(second, "arrived");
  assert.equal((await story(second, on, 4)).length, 4);
  await row(operator, on).filter({ hasText: operator.words.console.status.driveComplete }).waitFor();
  await row(operator, off).filter({ hasText: operator.words.console.money.refunded }).waitFor();
});

/**
 * The number of the newest ride in hand, as its card tells it.
 * @param {import("./ways.mjs").Somebody} rider
 */
async function numberOf({ page, words }) {
  const card = page.getByRole("article").first();
  const term = page.getByRole("term").filter({ hasText: words.rider.number });
  return Number(await card.locator("div").filter({ has: term }).getByRole("definition").last().textContent());
}
