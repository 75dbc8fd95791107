// Puts a page in its place.
import "./base.css";
import { mount } from "svelte";
import type { Component } from "svelte";

export function show(page: Component): void {
  const target = document.getElementById("page");
  if (!target) throw new Error("the page has no place to be");
  mount(page, { target });
}

// A page that is older than the server asks for parts that are gone: taken anew, it has them.
addEventListener("vite:preloadError", () => location.reload());
