// How a state is coloured, beside being said.
import type { CallStatus } from "../api/shapes";

export function toneOf(status: CallStatus): "good" | "warn" | "bad" | "calm" | "" {
  switch (status) {
    case "payRequest":
    case "driveRequest":
      return "warn";
    case "driveStart":
      return "calm";
    case "driveComplete":
      return "good";
    case "payFail":
      return "bad";
    case "requestCancel":
      return "";
  }
}
