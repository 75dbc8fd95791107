// The shared worker: all pages of this browser watch through the one hub here.
import { Hub } from "./hub";
import type { Asked, Told } from "./hub";

const hub = new Hub();

addEventListener("connect", (connected) => {
  const [channel] = (connected as MessageEvent).ports;
  if (!channel) return;
  const port = { tell: (told: Told) => channel.postMessage(told) };
  channel.onmessage = (message: MessageEvent<Asked>) => hub.hear(port, message.data);
});
