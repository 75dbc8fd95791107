// The operator's page.
import { show } from "../ui/mount";
import ConsolePage from "./ConsolePage.svelte";

show(ConsolePage);
