// The driver's page.
import { show } from "../ui/mount";
import DriverPage from "./DriverPage.svelte";

show(DriverPage);
