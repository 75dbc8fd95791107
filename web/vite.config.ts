// Three pages, each loading no more than it shows; what they share is split off by itself.
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** Where a server runs while the pages are being worked on (`npm run dev`). */
const SERVER = process.env["TAXISVC"] ?? "http://localhost:8088";
const ANSWERED_BY_SERVER = ["/calls", "/drives", "/payments", "/fares", "/callViews", "/events", "/operator", "/health", "/docs"];

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: at("../crates/api/pages"),
    emptyOutDir: true,
    target: "es2022",
    // What is embedded stays small, and the policy of the pages forbids scripts and styles within them.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: { index: at("index.html"), driver: at("driver.html"), console: at("console.html") } },
  },
  worker: { format: "es" },
  server: { proxy: Object.fromEntries(ANSWERED_BY_SERVER.map((path) => [path, SERVER])) },
  test: { include: ["src/**/*.test.ts"] },
});
