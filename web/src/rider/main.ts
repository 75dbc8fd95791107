// The rider's page.
import { show } from "../ui/mount";
import RiderPage from "./RiderPage.svelte";

show(RiderPage);
