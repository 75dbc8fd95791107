// Puts a page in its place.
import "./base.css";
import { mount } from "svelte";
import type { Component } from "svelte";

export function show(page: Component): void {
  const target = document.getElementById("page");
  if (!target) throw new Error("the page has no place to be");
  target.replaceChildren();
  mount(page, { target });
}

const RELOADED = "taxisvc.reloaded";
const RELOAD_EVERY_MS = 60_000;

// A page that is older than the server asks for parts that are gone: taken anew it has them. Where it still has not, that is
// not the cure, and it goes on with what it has.
addEventListener("vite:preloadError", (event) => {
  event.preventDefault();
  try {
    if (Date.now() - Number(sessionStorage.getItem(RELOADED) ?? 0) < RELOAD_EVERY_MS) return;
    sessionStorage.setItem(RELOADED, String(Date.now()));
  } catch {
    return;
  }
  location.reload();
});
