// What a ride has cost so far, in one sentence.
import type { Ride } from "../business/ride";
import { won } from "../words/format";
import type { Tag } from "../words/language.svelte";
import type { Words } from "../words/en";

export function costOf(ride: Ride, words: Words, tag: Tag): string {
  const { cost } = words.rider;
  const fare = won(ride.fare ?? 0, tag);
  switch (ride.phase) {
    case "paying":
      return cost.ofNothing;
    case "finding":
    case "underWay":
      return cost.held(fare);
    case "cancelling":
      return ride.isPaid ? cost.held(fare) : cost.ofNothing;
    case "arrived":
      return cost.paid(fare);
    case "returning":
      return cost.returning(fare);
    case "returned":
      return cost.returned(fare);
    case "off":
    case "refused":
      return cost.none;
  }
}
